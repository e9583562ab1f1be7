"""Each fault of a page is found, and a good page has none."""

import pytest

from mtvp_eval.report.html_check import problems

GOOD = (
    '<html lang="nl"><head><title>T</title><style>p { color: red }</style></head><body><h1>T</h1><h2>A</h2>'
    '<table><caption>C</caption><tr><th scope="col">x</th></tr></table><img alt="x" src="data:image/svg+xml;base64,A">'
    '<a href="#a">x</a><p id="a">x</p></body></html>'
)


def test_a_good_page_has_no_problems():
    assert problems(GOOD) == ()


@pytest.mark.parametrize(
    ("part", "instead", "said"),
    [
        (' lang="nl"', "", "no lang"),
        ("<title>T</title>", "<title> </title>", "no title"),
        ("<h2>A</h2>", "<h1>A</h1>", "2 h1"),
        ("<h2>A</h2>", "<h3>A</h3>", "level 3 follows level 1"),
        (' scope="col"', "", "no scope"),
        ("<caption>C</caption>", "", "captions"),
        ('alt="x"', 'alt=" "', "no alternative text"),
        ('src="data:image/svg+xml;base64,A"', 'src="https://example.org/a.png"', "points outside"),
        ('href="#a"', 'href="other.html"', "points outside"),
        ("color: red", "background: url(a.png)", "fetches a file"),
        ("<h2>A</h2>", "<h2>A</h2><script>1</script>", "holds a script"),
        ("<h2>A</h2>", '<h2 id="a">A</h2>', "id a stands 2 times"),
    ],
)
def test_each_fault_is_found(part, instead, said):
    assert part in GOOD
    assert any(said in problem for problem in problems(GOOD.replace(part, instead)))
