"""Tables over many models, made from run records alone: works without torch.

entries.py      Entry: a model with its runs; which of them go together
comparable.py   whether the models' scores may stand in one table; their documents
board.py        Line, Board, build_board: data in, data out
ranking.py      Headline, Place: the mean over tasks, ranks, ties
deltas.py       each model against the declared base, document by document
notes.py        what the reader should know beside the numbers
tables.py       long.csv and wide.csv <-> pandas
markdown.py     board.md
page/           board.html: the web page
folder.py       the files of a board, written all or none
commands.py     `selfcheck board`
"""
