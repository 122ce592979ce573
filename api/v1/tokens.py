"""Signing in, refreshing, signing out, one's own password, and who one is."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Response
from pydantic import Field
from sqlalchemy import select

from api.auth.gatekeeper import Tokens
from api.deps import AddressDep, GatekeeperDep, SessionDep, SignedInDep, json_router
from api.middleware import CLEAR_SITE_DATA
from api.v1.schemas.common import Answer, Body
from screening.core.actor import Role
from screening.models.account import Account
from screening.models.organisation import Organisation

way_in = json_router(tags=["tokens"])
own = json_router(tags=["tokens"])

Password = Annotated[str, Field(min_length=1, max_length=128, repr=False)]


class SignIn(Body):
    """User name and password, as typed."""

    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: Password


class Refresh(Body):
    """A refresh token that has not been used."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=100, repr=False)]


class NewPassword(Body):
    """The password of now and the one that follows."""

    current_password: Password
    new_password: Password


class TokensOut(Answer):
    """A pair of tokens; ``expires_in`` is seconds of the access token."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the name of a scheme
    expires_in: int

    @classmethod
    def of(cls, tokens: Tokens) -> Self:
        return cls(access_token=tokens.access, refresh_token=tokens.refresh, expires_in=tokens.expires_in)


class RoleOut(Answer):
    """One role in one place."""

    role: Role
    organisation_id: UUID
    organisation_name: str


class Me(Answer):
    """Who is signed in, with the roles they hold today."""

    id: UUID
    name: str
    username: str
    locale: str
    must_change_password: bool
    roles: list[RoleOut]


@way_in.post("/tokens")
def sign_in(body: SignIn, gatekeeper: GatekeeperDep, address: AddressDep) -> TokensOut:
    """Tokens for a user name and a password."""
    return TokensOut.of(gatekeeper.sign_in(body.username, body.password, address=address))


@way_in.post("/tokens/refresh")
def refresh(body: Refresh, gatekeeper: GatekeeperDep) -> TokensOut:
    """The next pair. A token that comes a second time ends the session: somebody has a copy."""
    return TokensOut.of(gatekeeper.refresh(body.refresh_token))


@own.delete("/tokens", status_code=204)
def sign_out(
    session: SessionDep, signed_in: SignedInDep, gatekeeper: GatekeeperDep, response: Response
) -> None:
    """End this session."""
    gatekeeper.sign_out(session, signed_in)
    response.headers.update(CLEAR_SITE_DATA)


@own.put("/password", status_code=204)
def change_password(
    body: NewPassword, signed_in: SignedInDep, gatekeeper: GatekeeperDep, address: AddressDep
) -> None:
    """A new password. All sessions end; sign in with the new one."""
    gatekeeper.change_password(
        signed_in, current=body.current_password, new=body.new_password, address=address
    )


@own.get("/me")
def me(session: SessionDep, signed_in: SignedInDep) -> Me:
    """Who is signed in."""
    account = session.get_one(Account, signed_in.account_id)
    grants = signed_in.actor.grants
    places = select(Organisation).where(Organisation.id.in_(signed_in.actor.organisations()))
    names = {organisation.id: organisation.name for organisation in session.scalars(places)}
    return Me(
        id=account.id,
        name=account.name,
        username=account.username,
        locale=account.locale,
        must_change_password=account.must_change_password,
        roles=[
            RoleOut(
                role=grant.role,
                organisation_id=grant.organisation_id,
                organisation_name=names[grant.organisation_id],
            )
            for grant in grants
        ],
    )
