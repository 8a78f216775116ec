"""Light curves of the Zwicky Transient Facility for astrofm."""

from astrofm import Card, hookimpl


@hookimpl
def astrofm_instruments() -> list[Card]:
    """Offer the ZTF camera."""
    return [Card("ztf", "astrofm_ztf.instrument:Ztf", "ZTF light curves in g, r and i: IRSA, data releases, ALeRCE, alerts",
                 "2019PASP..131a8002B", "BSD-3-Clause")]
