"""Words by which texts state the relations that questions ask for: data only.

General vocabulary, not learnt from any question set: each line lists words that stand for one
another between a question and a text. Kinship over two steps names both.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import Final

from leadline.text.tokens import terms

_LINES: Final = """
born|birth birthplace birthday native
birth|born birthplace native
birthplace|born native
birthday|born birth
old|born birth
older|born birth
younger|born birth
age|born aged
die|died death dead killed deceased
death|died dead killed burial
buried|burial grave cemetery interred tomb
spouse|wife husband married marry widow
wife|married husband spouse marry widow
husband|married wife spouse marry
married|wife husband spouse marriage
partner|married wife husband relationship
child|son daughter father mother children
son|father mother child born daughter
daughter|father mother child born son
father|son daughter child parent born
mother|son daughter child parent born
parent|father mother son daughter
sibling|brother sister twin
brother|sister sibling son
sister|brother sibling daughter
grandfather|father grandson granddaughter son daughter
grandmother|mother grandson granddaughter son daughter
grandparent|father mother grandson granddaughter son daughter
grandchild|son daughter child
uncle|brother nephew niece father mother
aunt|sister nephew niece father mother
stepfather|married mother husband stepson
stepmother|married father wife stepson
law|married wife husband spouse
paternal|father son
maternal|mother daughter
director|directed film filmmaker
directed|director film
film|directed movie starring
movie|film directed
composer|music composed score soundtrack
composed|composer music score
performer|singer song album band recorded released sung performed
singer|song sang album recorded released vocalist
sung|singer song recorded performed
performed|performer recorded played song
recorded|album released band
artist|singer painter album band
band|group album members
author|written wrote novel book writer
writer|wrote written author
wrote|author written writer novel
screenwriter|screenplay written wrote
creator|created developed
producer|produced production
producing|producer produced
publisher|published publishing
published|publisher released publishing
publishing|published publisher
released|release published premiered
release|released premiered
founder|founded established co-founded
founded|founder established formed founding
established|founded created formed
formed|formation founded established
started|began founded launched
began|started
actor|played starring role cast
actress|played starring role cast
played|role starring portrayed cast character plays
portrayed|played role cast
star|starring cast played
character|played role voiced
voice|voiced voices played
located|location situated city county state district
location|located situated
country|nation republic kingdom
nationality|american british born citizen
citizenship|citizen nationality born
headquarters|headquartered based office
headquartered|headquarters based
based|headquartered headquarters located
capital|city seat
county|district seat located
state|county province located
city|town capital located
province|located region
border|borders adjacent bordered
population|inhabitants census people residents
inhabitants|population census
team|club plays played player signed
club|team plays played signed
league|club team season
position|plays played midfielder forward
coach|manager coached head
manager|coach managed
educated|studied graduated university college attended school
attended|studied graduated university college school
school|attended graduated educated studied
university|graduated studied attended college
alumni|graduated attended
studied|graduated attended university
employer|worked professor works
occupation|worked profession
profession|worked occupation
award|won prize awarded received
won|winner award victory champion
winner|won champion
president|elected presidency
minister|government elected
party|political member
leader|led head chairman
owner|owned owns acquired
carry|room hold carries
owned|owner acquired subsidiary
company|corporation firm subsidiary
manufacturer|manufactured produced made
manufactured|manufacturer produced made built
inventor|invented invention
invented|inventor invention patent
discovered|discovery discoverer
designed|designer architect design
designer|designed design
architect|designed design
built|constructed construction completed
constructed|built construction
named|name namesake called
cause|caused due because
caused|cause led because
genre|music style rock pop
label|records released signed
language|spoken speak
religion|church religious faith
ended|end until dissolved
length|long metres kilometres miles
height|high tall metres feet
depth|deep metres feet fathoms
area|square kilometres miles
出生|生于 诞生 籍贯
生于|出生
去世|逝世 卒于 死于 病逝 身亡 死在
逝世|去世 卒于 病逝 死于
死于|去世 逝世 卒于 病逝
导演|执导 电影
执导|导演
别名|又名 又称 也叫 亦称 俗称 别称
作者|著有 所著 编著 著作 撰写 创作 写成
创作|作者 写成 所作
收录|收有 收入 收在 载于
妻子|夫人 结婚 丈夫 娶
丈夫|结婚 妻子 嫁
父亲|儿子 之子 女儿 生父
母亲|儿子 之子 女儿
儿子|父亲 之子
创始人|创立 创办 成立 创建
创立|成立 创办 建立 创始 创建
成立|创立 建立 创办 设立
建立|成立 创立 建于
总部|位于 设在
位于|坐落 地处
首都|城市
毕业|大学 学院 就读
建造|修建 建成 建于 兴建 制造
修建|建造 兴建 建成 主持
建成|竣工 落成 建造
设计|设计师 设计者
总设计师|设计 主持
发明|发明者 创造
发现|发现者
长度|全长 长达
高度|海拔 高达
深度|下潜 水深 深达
跨度|跨径 净跨
人口|居民
面积|平方公里
获得|荣获 授予
担任|出任 就任
载人|容纳
制作|制成 做成 剪成
制成|制造 造成 发明
吃|饮食 食品 进食 用餐 食物
喝|饮食 饮料 饮用
开门|开放 营业 开馆
关门|闭馆 打烊 停业
开业|营业 开张 开放
价格|售价 单价 定价
售价|价格 单价 定价
"""


GENERIC: Final = frozenset(terms("place date name year time number kind type people person thing part first last"))
"""Terms of questions that name no thing."""


def _table() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for line in _LINES.split("\n"):
        head, _, tail = line.partition("|")
        for term in terms(head):
            table.setdefault(term, set()).update(terms(tail))
    return {term: frozenset(others - {term}) for term, others in table.items()}


@lru_cache(maxsize=1)
def _related() -> MappingProxyType[str, frozenset[str]]:
    return MappingProxyType(_table())


def related(term: str) -> frozenset[str]:
    """Return the terms that may stand for a term of a question, none where nothing is known."""
    return _related().get(term, frozenset())
