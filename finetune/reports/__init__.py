"""What a finetuning is told by: plan, tables, notes, model card."""
