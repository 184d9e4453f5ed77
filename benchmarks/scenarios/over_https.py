"""The full refresh over HTTPS, by those who can be told to trust the org's certificate."""

from benchmarks import contenders
from benchmarks.scenario import CONNECTOR, PEER, Contender, Scenario

SCENARIO = Scenario(
    name="over HTTPS",
    mode="full_refresh",
    https=True,
    contenders=(
        Contender(CONNECTOR, contenders.connector),
        Contender("its first release, 59ab2d2", contenders.first_release, program=contenders.FIRST_RELEASE),
        Contender(PEER, contenders.peer, slow=True),
    ),
)
