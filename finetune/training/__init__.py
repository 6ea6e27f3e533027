"""What stands behind `finetune.trainer`: model, TRL's configuration, resuming, saving, stops."""
