"""The web page of a board: one file, no network, every number down to the model's words.

page.py         render_page: a board and its runs in, the page's text out
content.py      its models and tasks, in their order, under the names that it shows
overview.py     the table of models by tasks
payload.py      the board as the page's scripts read it
bundle.py       the samples that the page has room for
accounts.py     a sample as the page's reader has it
blocks.py       data within the page
provenance.py   runs, data, command lines
meanings.py     which check a task belongs to; what every metric means, its control
series.py       which models are one training at several times
texts.py        texts of others, made fit to be shown
inline.py       styles and scripts within the page; its Content-Security-Policy
templates/      HTML (Jinja2)
assets/         styles and scripts, a folder for each section; vendor/: D3, as published
"""

from leaderboards.page.page import SAMPLES, render_page

__all__ = ["SAMPLES", "render_page"]
