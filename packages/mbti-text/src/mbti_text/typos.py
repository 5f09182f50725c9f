"""What a hand, a scanner and a weak speller make of letters and words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_KEYS = (("1234567890", 0.0), ("qwertyuiop", 0.5), ("asdfghjkl", 0.75), ("zxcvbnm", 1.25))
_REACH = 1.26  # widths of a key between the middles of neighbors
_ALIKE = ("0oOQD", "1lIi|", "2zZ", "5sS", "6bG", "8B", "9gq", "ce", "uv", "nh", "ft")


def _neighbors() -> Iterator[tuple[str, str]]:
    """Yield each letter or digit of a QWERTY keyboard with those next to it of its own kind, in either case."""
    at = {key: (x + left, float(y)) for y, (row, left) in enumerate(_KEYS) for x, key in enumerate(row)}
    for key, (x, y) in at.items():
        near = "".join(
            other
            for other, (u, v) in at.items()
            if other != key and other.isdigit() == key.isdigit() and (x - u) ** 2 + (y - v) ** 2 <= _REACH**2
        )
        yield key, near
        if key.isalpha():
            yield key.upper(), near.upper()


KEYBOARD: Mapping[str, str] = dict(_neighbors())
"""What a finger hits instead of a key."""

OCR: Mapping[str, str] = {c: group.replace(c, "") for group in _ALIKE for c in group}
"""What a scanner reads instead of a character."""

_LIST = """
about:abuot accept:except accommodate:accomodate,acommodate achieve:acheive across:accross actually:actualy
address:adress again:agian almost:allmost already:allready although:altough always:allways amateur:amatuer
among:amoung apparent:apparant argument:arguement awful:aweful basically:basicly beautiful:beautifull,beatiful
because:becuase,becouse before:befor beginning:begining believe:beleive,belive between:betwen
brilliant:briliant,brillant business:buisness calendar:calender category:catagory caught:cought
character:charactor,caracter characters:charactors,caracters chief:cheif clever:clevar comedy:commedy coming:comming
committed:commited completely:completly concept:consept conscious:concious consistent:consistant convincing:convinsing
could:coud courage:courrage definitely:definately,definitly description:discription despite:dispite dialogue:dialouge
different:diffrent,differant dilemma:dilema director:directer disappear:dissapear
disappointed:dissapointed,disapointed disappointing:dissapointing documentary:documentery does:dose doesn't:dosen't
drama:dramma embarrass:embarass emotional:emotionnal enough:enuf,enought entertaining:entertainning
environment:enviroment especially:especialy,expecially every:evry everything:everthing excellent:excelent,exellent
except:exept exciting:exiting existence:existance experience:experiance extremely:extremly family:familly
fascinating:facinating favorite:favourit,favorit feeling:feeleing film:flim films:flims finally:finaly first:frist
foreign:foriegn forty:fourty forward:foward friend:freind friends:freinds from:form further:futher generally:generaly
genius:genious government:goverment grammar:grammer great:graet,grate guarantee:garantee guard:gaurd guess:geuss
happened:happend have:hvae height:heigth hilarious:hillarious history:histroy honest:honnest horrible:horible
humor:humer humorous:humourous immediately:immediatly important:importent,importan incredible:incredable
independent:independant intelligent:inteligent interest:intrest interesting:intresting,intersting interrupt:interupt
it's:its its:it's jealous:jelous judgment:judgement just:jsut knowledge:knowlege language:langauge laugh:laff
least:leats length:lenght library:libary likely:likly little:littel,litle lonely:lonley loose:lose lose:loose
love:lvoe maintenance:maintainance many:mnay maybe:mabye meant:ment memorable:memorible minute:minuet minutes:minuets
moment:momment movie:moive,movei movies:moives much:mcuh music:musik mystery:mistery narrative:narative
necessary:neccessary,necesary neighbor:nieghbor nothing:nothin noticeable:noticable occasion:occassion
occasionally:occasionaly occurred:occured often:offen only:olny opinion:opionion opportunity:oppurtunity
original:orignal,origional other:otehr parallel:paralell particularly:particulary people:poeple,peple perfect:pefect
performance:preformance performances:preformances perhaps:prehaps persistent:persistant personal:personel
picture:pitcher piece:peice please:plese pleasure:plesure possible:possable predictable:predictible preferred:prefered
pretty:prety previous:previus probably:probly,probabaly problem:probelm process:proccess psychological:phsycological
publicly:publically quality:qualitiy question:queston quiet:quite quite:quiet really:realy,relly receive:recieve
recommend:recomend,reccomend recommended:recomended relevant:relevent religious:religous remember:rember,remeber
repetition:repitition restaurant:restaraunt,resturant rhythm:rythm ridiculous:rediculous romantic:romatic said:siad
satire:sattire scene:sceen scenes:sceens schedule:schedual school:shcool science:sience script:scirpt
secretary:secratary seems:seams sense:sence sentimental:sentimentel separate:seperate sequel:sequal serious:serius
several:severel should:shoud similar:similer simple:simpel since:sinse sincere:sinsere society:soceity
something:somthing sometimes:sometimse somewhat:somwhat soon:sone special:speical spectacular:spectacuar speech:speach
still:stil story:stroy storyline:storyine straight:strait strange:stange strength:strenght stupid:stoopid style:stlye
subtle:suttle success:sucess successful:succesful,successfull such:shuch supposed:suposed sure:shure
surprise:suprise,surprize surprising:suprising surprisingly:suprisingly suspense:suspence sympathetic:simpathetic
talent:tallent talented:tallented television:televison tension:tention terrible:terible,terrable than:then that:taht
the:teh their:thier,there themselves:themselfs then:than there:their therefore:therefor these:theese they:thay
they're:their thing:thign think:thikn this:tihs thoroughly:throughly though:thou thought:thougth thoughtful:thougtful
thriller:triller through:throught,thru together:togather tomorrow:tommorow,tommorrow too:to totally:totaly
tragedy:tradgedy tries:trys true:ture truly:truely twelfth:twelth unfortunately:unfortunatly unique:uniqe
unnecessary:unneccessary until:untill unusual:unusuall usually:usualy version:verison very:vrey viewer:veiwer
viewers:veiwers violence:violance visual:visaul visually:visualy want:wnat was:wsa watch:wacth watching:wathcing
weather:wether weird:wierd went:whent were:where what:waht when:wehn where:were whether:wether which:wich,whcih
while:whlie who's:whose whole:hole whose:who's with:wiht witty:whitty woman:women women:woman would:woud
writing:writting written:writen wrong:worng year:yaer years:yaers yesterday:yesturday you:yuo you're:your your:you're
"""

MISSPELLINGS: Mapping[str, tuple[str, ...]] = {
    word: tuple(wrong.split(",")) for word, _, wrong in (entry.partition(":") for entry in _LIST.split())
}
"""How words are misspelled, in lower case."""
