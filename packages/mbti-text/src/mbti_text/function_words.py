"""The function words of English."""

from __future__ import annotations

_LIST = """
a an the this that these those such same other another each every either neither both all any some no none few
many much more most several own only
i me my mine myself you your yours yourself yourselves he him his himself she her hers herself it its itself we us
our ours ourselves they them their theirs themselves one who whom whose which what whoever whatever
and or but nor so yet for if then else than because since while although though unless until whether as
of in on at by to from with without within into onto out off over under up down about above below across after
before against along among around behind beside between beyond during near through toward towards upon via per
am is are was were be been being do does did done doing have has had having can could may might must shall should
will would
not never very too also just even still again ever once here there where when why how now
n't 's 're 've 'll 'd 'm don't doesn't didn't isn't aren't wasn't weren't won't can't couldn't wouldn't shouldn't
it's i'm i've he's she's that's there's you're they're we're
"""

FUNCTION_WORDS = frozenset(_LIST.split())
"""They are frequent in every text, so they say little about one."""
