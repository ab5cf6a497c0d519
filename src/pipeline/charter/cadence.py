"""When the program starts by itself: by the calendar, or because monitoring asks for it."""

from pydantic import Field

from pipeline.charter.words import Part, Text


class Schedule(Part):
    """When the program starts by itself: five-field cron in the time zone of the people who read the results."""

    time_zone: Text = Field(default="UTC", description="IANA time zone of the crons", examples=["Europe/Lisbon"])
    retrain: Text | None = Field(
        default=None,
        description="when the next iteration is opened; left out: never by the clock",
        examples=["0 6 * * 1"],
    )
    monitor: Text | None = Field(
        default=None, description="when newest data is looked at; left out: never by the clock", examples=["0 5 * * *"]
    )


class Retrain(Part):
    """When monitoring asks for another iteration, and how it is kept from asking again and again."""

    when: Text = Field(
        default="drift_share > 0.3 for 2 periods or kpi worse than target for 2 periods",
        description="the rule over monitored periods, see pipeline.charter.rules",
        examples=["drift_share > 0.3 for 2 periods or kpi worse than target for 2 periods"],
    )
    clear_after: int = Field(
        default=2,
        ge=1,
        le=52,
        description="periods in a row without the condition before it may ask again",
        examples=[2],
    )
    cool_down: int = Field(
        default=4, ge=0, le=104, description="periods after the last asking or training without another", examples=[4]
    )
