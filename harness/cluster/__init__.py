"""A run on many workers (`--engine ray`): each holds the model, and measures shards of documents.

`shards`: what is handed out; `scheduler`: to whom; `store`: what came back, on disk; `worker`: a
process that measures; `pool`: all of them; `session`: one plan on them; `engine`: a run; `current`:
whether runs are measured there or in this process.
"""
