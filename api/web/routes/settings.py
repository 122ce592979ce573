"""The settings of the service as it runs, for the administrator. They are changed in its environment, not here."""

from __future__ import annotations

from fastapi import Depends, Request, Response

from api.deps import ClockDep, PageActorDep, SessionDep, SettingsDep, get_page_actor, needs, page_router
from api.web.pages import page_locale, render
from api.web.presenters import duty as of_duty
from api.web.presenters import settings as present
from screening.access import May
from screening.core.calendar import china

router = page_router(dependencies=[Depends(get_page_actor), needs(May.MANAGE_ACCOUNTS)])


@router.get("/settings")
def show_settings(
    request: Request, session: SessionDep, actor: PageActorDep, settings: SettingsDep, clock: ClockDep
) -> Response:
    """What holds, what is missing, when the last backup was written, which years the calendar knows."""
    locale = page_locale(request)
    return render(
        request,
        "admin/settings.html",
        session=session,
        rows=present.rows(settings, locale),
        backup=present.newest_backup(settings.backup_to, locale),
        missing=of_duty.missing_years(china(), clock.now()),
    )
