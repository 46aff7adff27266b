from tests.e2e.test_basic_host import *
@pytest.mark.parametrize("n", range(3))
async def test_dbg(make,n):
    team, host = make(reports="each")
    team.commit(); r=await team.sync(); print(r.results)
    team.remove()
    r=await team.sync()
    print(r.plan.changes, r.results, r.refused, host.ops("mm"), host.strategies)
    assert 0
