"""Past weeks played again: recorded arrivals and hours of work, other queue orders and shifts.

What the record cannot tell stays as recorded: a ticket takes the hours that were booked on it whoever works on it, and
it comes back if it came back. So a replay compares orders and shifts, and knows nothing of what haste or missing skills
do; the field does. Tickets that are not closed by the end of the record take the mean of their category.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.evaluation.outcomes import Outcomes
from pipeline.language import say
from pipeline.problems.base import Progress
from pipeline.service_desk.clock import WEEK_HOURS, Floats
from pipeline.service_desk.desk import Plan
from pipeline.service_desk.floor import RECORDED, Course, Step, Tickets, work
from pipeline.service_desk.log import BOOKED, EVENTS, Log
from pipeline.service_desk.planning import todays_plans
from pipeline.service_desk.staffing import on_duty
from pipeline.service_desk.tally import SLICES, rows_of
from pipeline.service_desk.vocabulary import CATEGORIES

#: Weeks of a game.
GAME_WEEKS = 2

#: Makes plans from what is known at the start of a game and the tickets of its teams.
Planner = Callable[[Log, Mapping[int, pd.DataFrame], int], Mapping[int, Plan]]


def rolling_games(
    log: Log,
    cutoffs: Sequence[int],
    teams: Sequence[int],
    planners: Mapping[str, Planner],
    limit: float,
    weeks: int,
    progress: Progress,
) -> Outcomes:
    """Play every arm in every game.

    Args:
        log: the whole history.
        cutoffs: weeks known at the start of each game.
        teams: codes of the teams that are played.
        planners: arm → what makes its plans from the past.
        limit: hours after which a response is late.
        weeks: length of a game.
        progress: called after each game.

    Returns:
        Outcomes with the slice column ``cutoff`` beside :data:`pipeline.service_desk.tally.SLICES`.
    """
    frames = []
    for number, cutoff in enumerate(cutoffs, start=1):
        past, rows = log.upto(cutoff), game_tickets(log, cutoff, weeks, teams)
        visible = {team: frame.drop(columns=[*EVENTS, *BOOKED]) for team, frame in rows.items()}
        span = (cutoff * WEEK_HOURS, (cutoff + weeks) * WEEK_HOURS)

        today = _outcome(log, cutoff, rows, todays_plans(past, visible, weeks), span, limit)["response_hours"]
        for arm, planner in planners.items():
            frame = _outcome(log, cutoff, rows, planner(past, visible, weeks), span, limit)
            frame.insert(0, "arm", arm)
            frame["today_hours"] = today
            frame["cutoff"] = str(log.origin + np.timedelta64(7 * cutoff, "D"))
            frames.append(frame)
        progress("past games", number, len(cutoffs))
    whole = pd.concat(frames, ignore_index=True)
    whole.insert(1, "unit", np.array(log.names, dtype=object)[whole.pop("team")])
    return Outcomes(
        frame=whole,
        slices=("cutoff", *SLICES),
        periods=weeks,
        kind="replay",
        basis=say(
            "{games} past games of {weeks} weeks in {teams} teams on recorded arrivals; every ticket takes the hours "
            "that were booked on it and comes back if it came back, whoever works on it",
            games=len(cutoffs), weeks=weeks, teams=len(teams),
        ),
    )  # fmt: skip


def _outcome(
    log: Log,
    cutoff: int,
    rows: Mapping[int, pd.DataFrame],
    found: Mapping[int, Plan],
    span: tuple[float, float],
    limit: float,
) -> pd.DataFrame:
    done = [played(log, cutoff, team, tickets, found[team]) for team, tickets in rows.items()]
    shifts = {team: plan.shifts for team, plan in found.items()}
    return rows_of(pd.concat(done, ignore_index=True), list(rows), shifts, span, limit)


def game_tickets(log: Log, cutoff: int, weeks: int, teams: Sequence[int]) -> dict[int, pd.DataFrame]:
    """Per team: all tickets up to the end of the game, as the whole record has them.

    Arrivals of earlier weeks stay among them, closed or not, as shifts are planned by them.
    """
    end = (cutoff + weeks) * WEEK_HOURS
    chosen = log.tickets[log.tickets["team"].isin(list(teams)) & (log.tickets["arrival"] < end)]
    grouped = dict(iter(chosen.groupby("team")))
    return {team: grouped.get(team, chosen.head(0)).reset_index(drop=True) for team in teams}


def played(log: Log, cutoff: int, team: int, rows: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """One team through one game; what happened to its tickets stands in their columns."""
    begin, weeks = cutoff * WEEK_HOURS, len(plan.shifts)
    means = log.tickets.groupby("category")["spent"].mean().reindex(range(len(CATEGORIES)))
    tickets = _as_recorded(rows, means.fillna(means.mean()).fillna(1.0).to_numpy())
    course = work(
        tickets,
        _course_at(rows, tickets, begin),
        on_duty(plan.shifts.ravel(), len(log.skills[team])),
        log.skills[team],
        plan.rule,
        RECORDED,
        begin,
        begin + weeks * WEEK_HOURS,
    )
    return rows.assign(**{name: getattr(course, name) for name in ("first", "closed", "reopened", "reclosed")})


def _as_recorded(rows: pd.DataFrame, means: Floats) -> Tickets:
    usual = means[rows["category"].to_numpy()]
    again = rows["spent_again"].fillna(rows["spent"] / 2).fillna(pd.Series(usual / 2, index=rows.index))
    back = rows["reopened"].notna().to_numpy()
    return Tickets(
        arrival=rows["arrival"].to_numpy(),
        category=rows["category"].to_numpy(),
        work=rows["spent"].fillna(pd.Series(usual, index=rows.index)).to_numpy(),
        chance=back.astype(np.float64),
        draw=np.full(len(rows), 0.5),
        away=np.where(back, rows["reopened"] - rows["closed"], 0.0),
        work_again=again.to_numpy(),
    )


def _course_at(rows: pd.DataFrame, tickets: Tickets, begin: float) -> Course:
    """How far the tickets had come at the start; of work in hand nobody knows how much is left: half of it."""
    course = Course.new(len(rows))

    def by_then(name: str) -> Floats:
        at = rows[name].to_numpy(dtype=np.float64)
        return np.where(at <= begin, at, np.nan)

    first, closed, reclosed = by_then("first"), by_then("closed"), by_then("reclosed")
    back = rows["reopened"].to_numpy(dtype=np.float64)
    reopened = np.where(np.isnan(closed), np.nan, back)
    course.first[:], course.closed[:], course.reclosed[:], course.reopened[:] = first, closed, reclosed, reopened
    course.returns[:] = ~np.isnan(back)
    step, again = course.step, ~np.isnan(reopened)
    step[~np.isnan(first)] = Step.IN_HAND
    step[~np.isnan(closed)] = Step.DONE
    step[again] = Step.COMING_BACK
    step[again & (reopened < begin)] = Step.WAITING_AGAIN
    step[~np.isnan(reclosed)] = Step.DONE_AGAIN
    in_hand = step == Step.IN_HAND
    course.left[in_hand] = tickets.work[in_hand] / 2
    course.spent[in_hand] = tickets.work[in_hand] / 2
    return course
