"""Dialogues held without a model: answers are given one after the other, or by a function."""

from harness.questions import Question


def hold_alone(dialogue, *answers, reply=None):
    """Hold a dialogue; give what it asked and what it read."""
    given, asked = iter(answers), []
    say = reply or (lambda question: next(given))
    try:
        step = next(dialogue)
        while True:
            questions = [step] if isinstance(step, Question) else step
            asked += questions
            told = [say(question) for question in questions]
            step = dialogue.send(told[0] if isinstance(step, Question) else told)
    except StopIteration as stop:
        assert stop.value.metrics == {}
        return asked, stop.value.read
