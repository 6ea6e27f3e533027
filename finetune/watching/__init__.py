"""A folder watched for new checkpoints, each scored once."""
