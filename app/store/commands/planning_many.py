"""Planning many temporary statuses in one transaction."""

import msgspec

from app.domain.errors import DomainError
from app.domain.principal import Principal
from app.store.batch import Batch
from app.store.commands.temporary_statuses import Plan, Wish, Written
from app.store.needs import Needs


class PlanMany(msgspec.Struct, frozen=True):
    """Create temporary statuses. Each is judged by itself, beside those before it, and answered in its place."""

    by: Principal
    wishes: tuple[Wish, ...]

    def needs(self) -> Needs:
        return Needs(
            by=self.by,
            evse_ids=tuple(one.evse_id for one in self.wishes),
            wanted=tuple((one.valid_from, one.valid_to) for one in self.wishes),
            new_temporary=len(self.wishes),
        )

    def decide(self, batch: Batch) -> list[Written | DomainError]:
        batch.principal(self.by)  # a key that is no longer good is no good for the whole call
        return [_judged(Plan(self.by, one), batch) for one in self.wishes]


def _judged(plan: Plan, batch: Batch) -> Written | DomainError:
    try:
        return plan.decide(batch)
    except DomainError as refusal:
        return refusal
