"""What class names, ids and first words say about a part of a page: content, or what surrounds it.

The words are those that content management systems and their themes use, collected from many
sites. A name alone is weak evidence; `html_main` weighs it against the text it stands on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_LONGEST: Final = 300
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_NAMED_BY_ID: Final = frozenset({"div", "section", "aside", "ul", "ol", "footer", "header", "form", "nav", "table"})
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def _words(*alternatives: str) -> re.Pattern[str]:
    """Match one of the alternatives as a whole word between hyphens, underscores and spaces."""
    return re.compile(rf"(?:^|[-_\s])(?:{'|'.join(alternatives)})(?:$|[-_\s])", re.IGNORECASE)


# Apart from the content even where it is long.
APART: Final = _words(
    r"footers?",
    r"comments?|comment-?(?:list|area|s?-?container|section|form|s?-?template|thread|box|wrap\w*)",
    r"disqus\w*|livefyre|fb-comments|respond|replies|discussion",
    r"kommentar\w*|komentarze|comentarios|commentaires|leserbriefe",
)
# Beside the content, be it prose or not.
BESIDE: Final = _words(
    r"right-?(?:col(?:umn)?|side|rail|bar)",
    r"related\w*|recommend\w*|teasers?|promos?|trending|most-?(?:read|popular|viewed|shared)",
    r"galler(?:y|ies)|slideshow|carousel",
    r"news-?letters?|outbrain|taboola|sharedaddy|print-?header",
)
# Likely beside it: decided together with how much prose and how many links there are.
LIKELY: Final = _words(
    r"side-?(?:wrap|col(?:umn)?|content|rail)|content-right|rail|recirc\w*",
    r"shares?|sharing|social\w*|subscri\w+|sign-?up|signin|login|register",
    r"promoted|advert\w*|ads?|sponsor\w*|cookies?|consent|gdpr|popups?|modals?|overlay|banners?",
    r"foot|masthead|menus?|(?:sub-?)?nav|navbar|navi|navigation|pagination|pager|paging|breadcrumbs?",
    r"tags?|tag-?list|keywords|topics|popular|trends|latest|newswire|tumblock",
    r"read-?(?:more|next|also)|more-(?:stories|news|on|from|articles?)|also-like",
    r"recent-?(?:posts?|articles?|stories)?|jp-relatedposts|yarpp\w*",
    r"by-?line|bottom-?byline|authors?-?(?:bio|box|info|card|desc\w*)?|contributors?|about-?author|bio",
    r"credits?|copyright|disclaimer|paywall|widgets?|donat\w*",
    r"time-?stamp|date-?line|(?:post|entry|article)-?meta\w*|meta|meta-?data|meta-?info\w*|structured-data",
    r"rollover\w*|slider|embed\w*|video-?\w*|player|polls?|survey|ratings?|votes?",
    r"print|noprint|toolbar|tools?|controls?|skip|caption|image-?caption|wp-caption-text|attachment|hidden|hide",
    r"next-?prev|post-?nav\w*|previous|prevnext",
)
# Boxes: of a web site as a rule beside the content, of a manual a part of it.
BOXES: Final = _words(r"side-?bars?")
# A paragraph that leads into the article and may stand outside its container.
LEAD: Final = _words(
    r"lead|lede|lead-?(?:text|paragraph)|standfirst|summary|article-?description",
    r"sommario|(?:texto-)?bajada|chapo|vorspann|entradilla",
)

_HEADS: Final = (
    r"related|more (?:from|on|stories|news|articles)|you (?:may|might) (?:also )?(?:like|enjoy)|also (?:read|on)",
    r"read (?:more|next|also)|see (?:more|also)|recommended|most (?:popular|read|viewed)|popular|trending|top stories",
    r"(?:our )?latest|recent (?:articles|posts|stories)|(?:don.t|do not) miss|sponsored|advertisement",
    r"share this|follow us|sign up|subscribe|newsletter|comments|leave a (?:reply|comment)|about the author|tags",
    r"mehr zum thema|weitere|das könnte|lesen sie|kommentare",
    r"lire aussi|à lire|sur le même|commentaires|vous aimerez|découvrez",
    r"leia (?:mais|também)|comentários|deixe",
    r"te puede|te recomendamos|puedes ver|lea también|vea también|más (?:noticias|sobre)|relacionad|comentarios",
    r"polecane|zobacz|czytaj|komentarze|leggi anche|commenti",
    r"相关|推荐|関連|おすすめ|コメント|читайте|популярн|комментари",
)
_NOTICES: Final = (
    r"©|copyright|all rights reserved|materiał chroniony",
    r"photos?(?: by| credits?)?\s*:|fotos?\s*:|image(?: credit)?\s*:|crédits? photos?|źródło:",
    r"sign up (?:for|to)|subscribe (?:now|to|today)|click here to|download the|join our|want more|need more",
    r"follow (?:us|me|him|her)|(?:get|for) the latest|reach the reporters?|reporting by|editing by|discover our",
    r"para comentar|mira lo que tiene|hazte miembro|permalien|vos réactions",
)
_HEAD: Final = re.compile(rf"\W*(?:{'|'.join(_HEADS)})", re.IGNORECASE)
_NOTICE: Final = re.compile(rf"\W*(?:{'|'.join(_NOTICES)})", re.IGNORECASE)


def names_of(node: LexborNode) -> str:
    """Return class, id and role of an element as words: `ArticlePage-contentFooter` has three.

    An id that is an anchor says nothing: documentation names its sections after their headings.
    """
    attributes = node.attributes
    given = [attributes.get(key) for key in ("class", "data-component", "role")]
    id = attributes.get("id")
    if id and node.tag in _NAMED_BY_ID and not _is_anchor(node, id):
        given.append(id)
    return _CAMEL.sub("-", " ".join(value[:_LONGEST] for value in given if value))


def _is_anchor(node: LexborNode, id: str) -> bool:
    child = node.child
    while child is not None and not child.is_element_node:
        child = child.next
    if child is None or child.tag not in _HEADINGS:
        return False
    return _parts(id) <= _parts(child.text(separator=" "))


def _parts(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text[:_LONGEST].lower()))


def heads_a_list(text: str) -> bool:
    """Whether a text begins like the title of links to elsewhere: `Read more`, `Mehr zum Thema`."""
    return _HEAD.match(text) is not None


def is_notice(text: str) -> bool:
    """Whether a short text begins like a notice of the site rather than its content: `Subscribe now`."""
    return _NOTICE.match(text) is not None
