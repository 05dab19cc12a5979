"""Word lists for `leadline.text.tokens`: data only."""

from __future__ import annotations

from typing import Final


def _listed(block: str) -> list[str]:
    return block.split()


# Fragments such as "s" and "t" are what an apostrophe leaves behind; "us" is absent, since folded
# text does not tell it from the country.
ENGLISH_STOP: Final = frozenset(
    _listed("""
    a about above after again against all also although am among an and another any are around as
    at away be became because become becomes been before being below between both but by can cannot
    could did do does doing done down during each either else ever every few for from further had
    has have having he hence her here hers herself him himself his however i if in into is it its
    itself just ll many may me might more most much must my myself neither no nor not now of off
    often on once one only onto or other our ours ourselves out over own per quite rather re really
    s same
    shall she should since so some such t than that the their theirs them themselves then there
    therefore these they this those though through thus to together too toward towards under until
    up upon ve very via was we well were whether while will with within without would yet you
    your yours yourself
    """)
)

ENGLISH_QUESTION: Final = frozenset(_listed("what when where which who whom whose why how"))

# Verbs that open a request and say nothing about its subject; elsewhere they are content.
ENGLISH_REQUEST: Final = "give|tell|name|list|explain|describe|find|show|compare|summari[sz]e"

IRREGULAR: Final = dict(
    pair.split(":")
    for pair in _listed("""
    began:begin begun:begin bought:buy born:bear borne:bear brought:bring built:build
    came:come caught:catch chose:choose chosen:choose drawn:draw drew:draw drove:drive
    driven:drive fallen:fall fell:fall flew:fly flown:fly fought:fight gave:give
    given:give gone:go went:go grew:grow grown:grow held:hold kept:keep knew:know known:know
    laid:lay led:lead lost:lose made:make met:meet paid:pay ran:run rose:rise
    risen:rise said:say sang:sing sung:sing sank:sink sunk:sink sent:send shot:shoot sold:sell
    spent:spend spoke:speak spoken:speak stood:stand struck:strike taken:take took:take
    taught:teach thought:think threw:throw thrown:throw told:tell understood:understand won:win
    wore:wear worn:wear wrote:write written:write men:man women:woman children:child
    people:person feet:foot teeth:tooth mice:mouse wives:wife lives:life cities:city
    countries:country series:series species:species died:die dies:die lies:lie ties:tie
    dying:die lying:lie tying:tie ate:eat eaten:eat bent:bend blew:blow blown:blow broke:break
    broken:break burnt:burn dealt:deal drank:drink drunk:drink dug:dig fed:feed forbade:forbid
    forbidden:forbid froze:freeze frozen:freeze heard:hear hid:hide hidden:hide learnt:learn
    lent:lend rang:ring ridden:ride rode:ride shook:shake slept:sleep sought:seek stole:steal
    stolen:steal swam:swim swept:sweep swum:swim tore:tear torn:tear woke:wake
    """)
)

# Two-character and longer function words.
CHINESE_STOP: Final = tuple(
    _listed("""
    为什么 什么时候 什么样 什么 是什么 怎么样 怎么 怎样 如何 哪一年 哪一个 哪个 哪些 哪里 哪儿 哪位
    哪年 哪座 哪家 哪国 哪一天 哪天 多少 多少钱 多久 多长时间 几个 几年 几点 几月 几天 几次 能否 可否
    可不可以 会不会 是否 有没有 是不是 能不能 可以 可能 应该 关于 对于 由于 因为
    所以 因此 但是 然而 而且 并且 或者 还是 以及 虽然 尽管 如果 那么 这个 那个 这些 那些 这里 那里
    这样
    那样 我们 你们 他们 她们 它们 自己 已经 正在 曾经 之一 之间 之后 之前 以后 以前 其中 其他 其它
    通过 根据 按照 进行 成为 作为 一个 一种 一些 一下 请问 告诉 介绍 说明 解释 列出 就是 不是 也是
    都是 的是 没有 同时 非常
    """)
)

# Single characters that carry no content between words. Those that are also parts of many words
# ("和平", "上海") are absent: a cut there would lose more than it gains.
CHINESE_BREAK_CHARS: Final = "的了吗呢吧啊呀嘛谁哪们"
CHINESE_STOP_CHARS: Final = frozenset(
    "的了吗呢吧啊呀嘛是在有和与及或而且但就都也还又很被把让给从到对为以于之其这那哪谁我你他她它们个些么着过不没请问何"
)
