"""Units of measure and currencies: names, dimension, factor to the base unit.

Factors after the SI brochure (BIPM, 9th edition) and NIST Special Publication 811.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple


class Unit(NamedTuple):
    """A unit: ``value * factor + offset`` counts in the base unit of `dimension`."""

    symbol: str
    dimension: str
    factor: Decimal
    offset: Decimal = Decimal(0)


# symbol; dimension; factor; names of which a plural in "s" is made; symbols and further names.
_TABLE: Final = """
mm;length;0.001;millimetre,millimeter;毫米
cm;length;0.01;centimetre,centimeter;厘米,公分
m;length;1;metre,meter;米,公尺
km;length;1000;kilometre,kilometer;公里,千米,kms
inch;length;0.0254;inch;inches,英寸
ft;length;0.3048;;foot,feet,英尺
yd;length;0.9144;yard;码
mi;length;1609.344;mile;英里
nmi;length;1852;nautical mile;海里
li;length;500;;华里
ly;length;9460730472580800;light year,light-year,lightyear;光年
au;length;149597870700;astronomical unit;天文单位
m2;area;1;square metre,square meter,sq metre,sq meter;m²,sq m,sqm,平方米,平米
km2;area;1000000;square kilometre,square kilometer;km²,sq km,平方公里,平方千米
ha;area;10000;hectare;公顷
acre;area;4046.8564224;acre;英亩
mu;area;666.6666666667;;亩
sqmi;area;2589988.110336;square mile;sq mi,平方英里
sqft;area;0.09290304;;square foot,square feet,sq ft,平方英尺
L;volume;0.001;litre,liter;l,公升,升
mL;volume;0.000001;millilitre,milliliter;ml,毫升
m3;volume;1;cubic metre,cubic meter;m³,立方米
km3;volume;1000000000;cubic kilometre,cubic kilometer;km³,立方公里,立方千米
gal;volume;0.003785411784;gallon;加仑
bbl;volume;0.158987294928;barrel;桶
mg;mass;0.000001;milligram;毫克
g;mass;0.001;gram,gramme;克
kg;mass;1;kilogram,kilogramme,kilo;公斤,千克
jin;mass;0.5;;斤
t;mass;1000;tonne,metric ton,metric tonne;吨,公吨
ton;ton;1;ton;
lb;mass;0.45359237;;lbs,磅
oz;mass;0.028349523125;ounce;盎司
K;temperature;1;kelvin;开尔文
°C;temperature;1;degree celsius,degree centigrade;℃,degrees celsius,degrees centigrade,摄氏度
°F;temperature;0.5555555555555556;degree fahrenheit;℉,degrees fahrenheit,华氏度
deg;angle;1;degree;°,度
ms;time;0.001;millisecond;毫秒
s;time;1;second;sec,secs,秒,秒钟
min;time;60;minute;mins,分钟
h;time;3600;hour;hr,hrs,小时,个小时,钟头
d;time;86400;day;天
wk;time;604800;week;周,星期,个星期
mo;months;1;month;个月
yr;months;12;year;yrs,年,周年,years old,year-old,岁
decade;months;120;decade;
century;months;1200;;century,centuries,世纪
m/s;speed;1;metre per second,meter per second;mps,metres per second,meters per second,米每秒,米/秒
km/h;speed;0.2777777777777778;kilometre per hour;kph,kmh,kilometres per hour,kilometers per hour
km/h;speed;0.2777777777777778;;公里每小时,公里/小时,千米每小时,千米/时,千米/小时
mph;speed;0.44704;;miles per hour,mile per hour,英里每小时
kn;speed;0.5144444444444444;knot;节
Hz;frequency;1;hertz;赫兹
kHz;frequency;1000;kilohertz;千赫
MHz;frequency;1000000;megahertz;兆赫
GHz;frequency;1000000000;gigahertz;吉赫
W;power;1;watt;瓦,瓦特
kW;power;1000;kilowatt;千瓦
MW;power;1000000;megawatt;兆瓦
GW;power;1000000000;gigawatt;吉瓦
TW;power;1000000000000;terawatt;
hp;power;745.6998715822702;horsepower;马力
J;energy;1;joule;焦耳
kJ;energy;1000;kilojoule;千焦
kcal;energy;4184;kilocalorie;千卡,大卡
Wh;energy;3600;watt-hour;
kWh;energy;3600000;kilowatt-hour,kilowatt hour;千瓦时
MWh;energy;3600000000;megawatt-hour,megawatt hour;兆瓦时
GWh;energy;3600000000000;gigawatt-hour,gigawatt hour;
TWh;energy;3600000000000000;terawatt-hour,terawatt hour;
V;voltage;1;volt;伏,伏特
kV;voltage;1000;kilovolt;千伏
Pa;pressure;1;pascal;帕
hPa;pressure;100;hectopascal;百帕
kPa;pressure;1000;kilopascal;千帕
MPa;pressure;1000000;megapascal;兆帕
bar;pressure;100000;;巴
times;ratio;1;;倍
dB;level;1;decibel;分贝
bit;data;1;bit;比特
B;data;8;byte;字节
KB;data;8000;kilobyte;kB
MB;data;8000000;megabyte;兆字节
GB;data;8000000000;gigabyte;
TB;data;8000000000000;terabyte;
PB;data;8000000000000000;petabyte;
KiB;data;8192;kibibyte;
MiB;data;8388608;mebibyte;
GiB;data;8589934592;gibibyte;
TiB;data;8796093022208;tebibyte;
"""

_CURRENCIES: Final = """
USD;$,US$,usd,dollar,dollars,us dollars,u.s. dollars,美元,美金
EUR;€,eur,euro,euros,欧元
GBP;£,gbp,british pounds,pounds sterling,英镑
CNY;cny,rmb,yuan,renminbi,元,人民币,块钱,元人民币
JPY;jpy,yen,日元,日圆
¥;¥,￥
HKD;HK$,hkd,hong kong dollars,港元,港币
TWD;NT$,twd,新台币,台币
AUD;A$,AU$,aud,australian dollars,澳元
CAD;C$,CA$,cad,canadian dollars,加元
SGD;S$,sgd,新加坡元,新元
KRW;₩,krw,韩元
INR;₹,inr,rupee,rupees,卢比
RUB;₽,rub,rouble,roubles,ruble,rubles,卢布
CHF;chf,swiss francs,瑞士法郎
pound;pound,pounds
cent;cent,cents,美分
"""

# One mark or name that several units share: it agrees with each of them.
_AMBIGUOUS: Final = {
    "¥": frozenset(["CNY", "JPY"]),
    "pound": frozenset(["GBP", "lb"]),
    "ton": frozenset(["t"]),
}


def _units() -> Iterator[tuple[str, Unit]]:
    offsets = {"°C": Decimal("273.15"), "°F": Decimal("255.3722222222222")}
    for line in _TABLE.strip().split("\n"):
        symbol, dimension, factor, names, others = line.split(";")
        unit = Unit(symbol, dimension, Decimal(factor), offsets.get(symbol, Decimal(0)))
        yield symbol, unit
        for name in filter(None, names.split(",")):
            yield name, unit
            yield f"{name}s", unit
        for name in filter(None, others.split(",")):
            yield name, unit


def _currencies() -> Iterator[tuple[str, Unit]]:
    for line in _CURRENCIES.strip().split("\n"):
        code, names = line.split(";")
        for name in (code, *names.split(",")):
            yield name, Unit(code, f"money:{code}", Decimal(1))


CURRENCIES: Final = dict(_currencies())
UNITS: Final = {**dict(_units()), **CURRENCIES}
BY_SYMBOL: Final = {unit.symbol: unit for unit in UNITS.values()}


def is_money(symbol: str | None) -> bool:
    """Whether a unit's symbol is a currency; the ambiguous "pound" is not."""
    return symbol is not None and symbol != "pound" and symbol in CURRENCIES


def same_dimension(a: str | None, b: str | None) -> bool:
    """Whether amounts in the units `a` and `b` (symbols) can be compared at all."""
    if a == b:
        return True
    if a is None or b is None:
        return False
    if b in _AMBIGUOUS.get(a, ()) or a in _AMBIGUOUS.get(b, ()):
        return True
    first, second = BY_SYMBOL.get(a), BY_SYMBOL.get(b)
    return first is not None and second is not None and first.dimension == second.dimension


def resolved(symbol: str | None, other: str | None) -> str | None:
    """Return `other` where `symbol` is a name that `other` shares ("pound" beside "lb")."""
    return other if symbol is not None and other in _AMBIGUOUS.get(symbol, ()) else symbol


def in_base(value: Decimal, symbol: str | None) -> Decimal:
    """Return `value` in the base unit of its dimension."""
    unit = BY_SYMBOL.get(symbol) if symbol else None
    return value if unit is None else value * unit.factor + unit.offset
