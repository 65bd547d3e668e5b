"""What a body becomes by a PUT or a PATCH: pure, given the manners of its type."""

from uuid import NAMESPACE_URL, uuid5

from local.arm.body import Body, at, merge, present, section, with_value, without
from local.arm.events import event_time
from local.arm.exchange import Call
from local.arm.providers import Provider
from local.arm.refusal import RefusedError, bad_request
from local.arm.validation import Write

# What a PUT leaves as it is besides the read-only members of `properties`.
_KEPT = ("etag", "systemData")


def change(call: Call, provider: Provider, before: Body | None, now: float) -> Write:
    """The write that `call` asks for; `now` (epoch seconds) goes into systemData.

    Raises RefusedError for what the type does not take.
    """
    request = _accepted(call, provider)
    base = before if call.method == "PATCH" and before is not None else _fresh(call, provider, before)
    after = _with_nulls(merge(base, request, provider.whole), request, provider)
    after = _with_identity(_dated(after, call, now, is_new=before is None))
    write = Write(before, request, after)
    _refuse_place(write, call, provider)
    provider.check(write)
    return write


def _accepted(call: Call, provider: Provider) -> Body:
    """The request without what is read-only, with enums in the provider's spelling."""
    request = call.body
    for name, expected in (("id", call.address.path), ("name", call.address.name), ("type", call.address.body_type)):
        given = request.get(name)
        if given is not None and str(given).strip("/").lower() != str(expected).strip("/").lower():
            raise bad_request(f"'{name}' in the body is not the one of the request path.", "InvalidRequestContent")
        request = without(request, name)
    if call.method == "PATCH" and provider.patchable is not None and not provider.patchable.issuperset(request):
        names = ", ".join(sorted(provider.patchable))
        raise bad_request(f"A PATCH of this type takes only {names}.", "InvalidRequestContent")
    for path in (*(f"properties.{name}" for name in provider.read_only), *_KEPT):
        if present(request, path):
            request = without(request, path)
    return _spelled(_typed(request, provider), provider)


def _typed(request: Body, provider: Provider) -> Body:
    for path in provider.flags:
        if not isinstance(at(request, path), bool | None):
            raise bad_request(f"{path} must be true or false.", provider.invalid)
    for path in ("properties", "tags", "sku", "identity"):
        if not isinstance(at(request, path), dict | None):
            raise bad_request(f"{path} must be an object.", "InvalidRequestContent")
    return request


def _spelled(request: Body, provider: Provider) -> Body:
    for path, choices in provider.choices.items():
        value = at(request, path)
        if value is None:
            continue
        spelling = {choice.lower(): choice for choice in choices}
        parts = str(value).split(",") if path in provider.lists else [str(value)]
        unknown = [part for part in parts if part.strip().lower() not in spelling]
        if unknown or not isinstance(value, str):
            raise bad_request(f"{path} must be one of {', '.join(choices)}.", provider.invalid)
        request = with_value(request, path, ", ".join(spelling[part.strip().lower()] for part in parts))
    return request


def _fresh(call: Call, provider: Provider, before: Body | None) -> Body:
    """What a PUT starts from: the resource's names and what no request may set."""
    address = call.address
    if before is None:
        names: Body = {"id": address.path, "name": address.name, "type": address.body_type}
        return {**names, "properties": dict(provider.given)}
    properties = section(before, "properties")
    kept: Body = {name: before[name] for name in ("id", "name", "type", "location", *_KEPT) if name in before}
    return {**kept, "properties": {name: properties[name] for name in properties if name in provider.read_only}}


def _with_nulls(after: Body, request: Body, provider: Provider) -> Body:
    for path in provider.keeps_null:
        if present(request, path) and at(request, path) is None:
            after = with_value(after, path, None)
    return after


def _dated(after: Body, call: Call, now: float, *, is_new: bool) -> Body:
    """systemData as ARM keeps it, for a new resource and for one that shows it."""
    if "systemData" not in after and not is_new:
        return after
    caller = call.caller.claims
    by = str(caller.get("upn") or caller.get("appid") or "unknown")
    stamp = {"By": by, "ByType": "User" if "upn" in caller else "Application", "At": event_time(now)}
    data = section(after, "systemData") or {f"created{name}": value for name, value in stamp.items()}
    return {**after, "systemData": {**data, **{f"lastModified{name}": value for name, value in stamp.items()}}}


def _with_identity(after: Body) -> Body:
    """A system-assigned identity that was asked for has a principal."""
    identity = section(after, "identity")
    asked = "systemassigned" in str(identity.get("type")).lower()
    if not asked or "principalId" in identity:
        return after
    principal = str(uuid5(NAMESPACE_URL, str(after["id"]).lower()))
    return {**after, "identity": {**identity, "principalId": principal}}


def _refuse_place(write: Write, call: Call, provider: Provider) -> None:
    location = at(write.after, "location")
    if write.before is None and provider.needs_location and not location:
        raise bad_request("The location property is required.", "LocationRequired")
    former = at(write.before, "location")
    if former and str(former).lower() != str(location).lower():
        message = f"'{call.address.path}' already exists in '{former}' and cannot be moved by a write."
        raise RefusedError(409, "InvalidResourceLocation", message)
