from cdi.errors import CDIError, Problem


def test_a_problem_is_a_place_a_fact_and_an_advice() -> None:
    assert str(Problem("a.json", "it is empty", "fill it")) == "a.json: it is empty; fill it"
    assert str(Problem("", "it is empty")) == "it is empty"


def test_a_problem_within_a_file() -> None:
    assert str(Problem("kind", "it is empty").within("a.json")) == "a.json: kind: it is empty"
    assert str(Problem("", "it is empty").within("a.json")) == "a.json: it is empty"


def test_an_error_is_its_problems() -> None:
    error = CDIError(Problem("a", "x"), Problem("b", "y"))
    assert str(error) == "a: x\nb: y"
    assert len(error.problems) == 2
