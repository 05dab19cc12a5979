"""Choosing the content of a page: what stands around an article goes, what documentation says stays."""

from __future__ import annotations

import pytest

from leadline.extract.html_names import heads_a_list, is_notice
from leadline.extract.registry import extract

PROSE = "".join(
    f"<p>Sentence {number} of the article tells of soundings, marks and the depth of water.</p>" for number in range(8)
)
LINKS = "".join(f'<li><a href="/{number}">Another story {number}</a></li>' for number in range(4))


def text_of(inside: str, *, around: str = "", tag: str = "article") -> str:
    page = f"<html><body>{around}<{tag}><h1>Title</h1>{PROSE}{inside}</{tag}></body></html>"
    return extract(page.encode(), name="https://a.example/x", declared="text/html").text


@pytest.mark.parametrize(
    "inside",
    [
        f'<div class="related-articles"><h3>X</h3><ul>{LINKS}</ul></div>',
        f'<div class="ArticlePage-contentFooter">{LINKS} out of place</div>',
        '<div id="commentsContainer"><p>out of place, says a reader who has much to say about it.</p></div>',
        '<section class="comments-area"><p>out of place, says a reader who has much to say about it.</p></section>',
        "<aside><p>out of place, though it is a sentence of some length in itself.</p></aside>",
        '<p class="byline">out of place by A. Writer</p>',
        '<span class="timestamp">out of place 12:00</span>',
        "<p>Subscribe now to get out of place news every day.</p>",
        '<p>Read more: <a href="/y">out of place for sure</a></p>',
        f"<div><h3>You may also like</h3><ul>{LINKS}</ul>out of place</div>",
        "<ul>" + '<li><a href="/z">Head</a> A teaser that is out of place and breaks off...</li>' * 4 + "</ul>",
        '<div class="asset_gallery"><p>out of place, a caption of the third picture.</p></div>',
    ],
)
def test_what_stands_around_an_article_goes(inside: str) -> None:
    text = text_of(inside)
    assert "Sentence 7" in text
    assert "out of place" not in text
    assert "Another story" not in text


@pytest.mark.parametrize(
    "inside",
    [
        '<section id="comments"><h2>Comments</h2><p>kept: a comment begins with a hash.</p></section>',
        '<div class="section" id="edit-menu"><h2>1.2. Edit menu</h2><p>kept: undo the last change.</p></div>',
        '<pre><code><span class="token comment"># kept</span> <span class="hljs-meta">x</span></code></pre>',
        '<h2 id="related-work"><a href="#related-work">Related work, kept</a></h2>',
        '<ul><li><a href="#a">kept: a place in this page</a></li><li><a href="b.html#c">another</a></li></ul>',
        "<table><tr><th>kept</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>",
        '<p>kept: see <a href="/a">the deep-sea lead</a>, which is heavier and has a longer line than others.</p>',
        "<blockquote><p>kept: words of a pilot, quoted.</p></blockquote>",
    ],
)
def test_what_documentation_says_stays(inside: str) -> None:
    assert "kept" in text_of(inside, tag="main")


def test_a_lead_outside_the_container_is_taken_in() -> None:
    around = '<div class="article-lead">The lead of the article says in short what it will tell at length.</div>'
    text = text_of("", around=around)
    assert text.startswith("The lead of the article")
    assert text.count("The lead of the article") == 1


def test_a_page_of_comments_is_a_thread() -> None:
    said = "".join(
        f'<div class="comment"><p>Reply {number}: a sentence that somebody wrote here.</p></div>'
        for number in range(20)
    )
    page = f'<html><body><div class="comments">{said}</div></body></html>'
    text = extract(page.encode(), declared="text/html").text
    assert text.count("Reply") == 20


def test_first_words_tell() -> None:
    assert heads_a_list("» Read more: the deep")
    assert not heads_a_list("The latest soundings")
    assert is_notice("© 2024 The Pilot")
    assert not is_notice("Photographs were taken")


def test_a_box_that_tells_something_stays_however_short() -> None:
    told = "<p>A leadsman stands in the chains, that is on a platform at the side of the ship.</p>"
    assert "on a platform" in text_of(f'<div class="sidebar"><p>NOTE Chains</p>{told}</div>')
    assert "Another story" not in text_of(f'<div class="sidebar"><p>More of this</p><ul>{LINKS}</ul></div>')
