"""The strict simulated eMSP pulls over a socket, and has nothing to object to."""

import random

import pytest
from pydantic import SecretStr

from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.pulling import Puller
from app.channels.ocpi.release import Party
from app.demo.listening import listening
from app.domain.status import DeploymentState, Kind
from app.service import Service
from app.settings import Settings
from tests.builders import MINUTE, plan, register
from tests.clock import FrozenClock
from tests.integration.api.calls import PARTNERS, Client, good
from tests.integration.api.conftest import SECRET_KEY
from tests.integration.api.ocpi_pulling import VERSIONS, Fleet, evse, location


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_strict_emsp_that_pulls_all_day_objects_to_nothing_and_knows_everything(
    embedded_url: str, clock: FrozenClock, version: str
) -> None:
    settings = Settings(database_url=embedded_url, secret_key=SecretStr(SECRET_KEY))
    chance = random.Random(version)
    uids = [f"{number}" for number in range(9)]
    async with Fleet(Service(settings, clock=clock)).running() as fleet, listening(fleet.app) as url:
        await fleet.take_in(*(location(f"L{n}", *(evse(uid) for uid in uids[n::3])) for n in range(3)))
        await fleet.partner(token="a-token-of-ours", version=version, gets_schedule=True, paused=True)
        objects = RELEASES[version].objects
        async with Puller(version, objects, "a-token-of-ours", Party("NL", "EMS"), to=Party("DE", "ABC")) as puller:
            known = await puller.pull(f"{url}/ocpi/versions", limit=2)
            for _ in range(10):
                evse_id, kind = f"DE*ABC*E{chance.choice(uids)}", chance.choice(list(Kind))
                begin = clock.now() + chance.randrange(90) * MINUTE
                until = begin + chance.randrange(1, 90) * MINUTE
                await plan(fleet.service.writer, evse_id, kind=kind, valid_from=begin, valid_to=until)
                if chance.random() < 0.3:
                    gone = chance.choice(uids)
                    state = chance.choice([DeploymentState.STOCK, DeploymentState.PRODUCTION])
                    await register(fleet.service.writer, f"DE*ABC*E{gone}", deployment=state, uid=gone)
                if chance.random() < 0.4:
                    moved, place = chance.choice(uids), f"L{chance.randrange(3)}"
                    await register(fleet.service.writer, f"DE*ABC*E{moved}", location=place, uid=moved)
                # Not by one: what changed a minute before is said once more, which the eMSP takes for too old.
                clock.advance(chance.choice([0, *range(2, 60)]) * MINUTE)
                await fleet.computed()
                known = await puller.pull(f"{url}/ocpi/versions", since=known, limit=2)
            full = await puller.pull(f"{url}/ocpi/versions")
            assert (dict(known.locations), dict(known.evses)) == (dict(full.locations), dict(full.evses))
            assert puller.wrong == []


async def test_a_partner_asks_with_the_token_that_it_was_issued(admin: Client, anonymous: Client) -> None:
    configuration = {"countryCode": "NL", "partyId": "EMS", "version": "2.3.0"}
    body = {"name": "emsp", "channel": "ocpi", "configuration": configuration}
    token = good(await admin.post(PARTNERS, json=body))["issued"]["pullToken"]
    answer = await anonymous.get("/ocpi/versions", headers={"Authorization": f"Token {token}"})
    assert [one["version"] for one in good(answer)["data"]] == ["2.3.0"]
    good(
        await admin.patch(
            f"{PARTNERS}/emsp", json={"configuration": configuration | {"pullToken": "another-token-of-16"}}
        )
    )
    assert (await anonymous.get("/ocpi/versions", headers={"Authorization": f"Token {token}"})).status_code == 401
