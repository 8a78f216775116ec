"""Names, units and descriptions of the features of light curves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from . import peaks, shapes, slow, statistics
from .ranges import RANGES


@dataclass(frozen=True)
class Feature:
    """A number that is measured on a light curve.

    Parameters
    ----------
    name : str
    unit : str
        astropy unit string.
    description : str
    """

    name: str
    unit: str
    description: str


def _waves(name: str, ranges: Iterable[int], text: str, period: bool = True) -> Iterator[tuple[str, str, str]]:
    for kind, what in (("amplitude", "amplitude in magnitudes"), ("period", "period in days"))[:1 + period]:
        for k in ranges:
            short, long = RANGES[k]
            yield (f"{name}_{kind}_{k:02d}", "",
                   f"log10 of the {what} of the strongest wave of {short:g} to {long:g} d of {text}")


def _series(name: str, text: str) -> Iterator[tuple[str, str, str]]:
    for kind, what in (("log_amplitude", "log10 of the amplitude (faintest less brightest, mag) of"),
                       ("log_snr", "log10 of the amplitude over the median error of"),
                       ("over_90", "amplitude over amplitude_90 of"), ("odd", "part of the power in odd harmonics of"),
                       ("steepness", "log10 of the steepest fall over the steepest rise of"),
                       ("turns", "minima and maxima of"),
                       ("log_first", "log10 of the amplitude of the first harmonic (mag) of"),
                       ("middle", "median less brightest, over the amplitude, of")):
        yield f"{name}_{kind}", "", f"{what} {text}"
    for k in range(2, shapes.SIX):
        yield f"{name}_r{k}", "", f"log10 of the amplitude of harmonic {k} over that of the first of {text}"
        for wave in ("cos", "sin"):
            yield f"{name}_{wave}{k}", "", (f"{wave} of the phase of harmonic {k} less {k} times that of the first, times "
                                            f"the ratio of their amplitudes (at most 1), of {text}")


_MAIN = [
    ("points_all", "", "good points in all bands"), ("bands", "", "bands with a good point"),
    ("negative", "", "part of the good points whose flux is not positive"),
    ("points", "", "good points in the main band, which is that of most points"),
    ("median", "mag", "median magnitude; NaN where fluxes have no zero point"),
    ("std", "mag", "standard deviation"), ("robust_std", "mag", "1.4826 median absolute deviations"),
    ("amplitude_90", "mag", "95th less 5th percentile"), ("range", "mag", "faintest less brightest point"),
    ("ratio_20", "", "60th less 40th percentile, over amplitude_90"),
    ("ratio_50", "", "75th less 25th percentile, over amplitude_90"),
    ("ratio_80", "", "90th less 10th percentile, over amplitude_90"),
    ("faint_tail", "", "faintest point less 95th percentile, over amplitude_90"),
    ("bright_tail", "", "5th percentile less brightest point, over amplitude_90"),
    ("asymmetry", "", "95th and 5th percentile less twice the median, over amplitude_90"),
    ("skew", "", "skewness of the sample (G1)"), ("kurtosis", "", "excess kurtosis of the sample (G2)"),
    ("beyond_1_std", "", "part of the points more than a standard deviation from the mean"),
    ("chi2", "", "reduced chi-square of a constant star"), ("excess", "mag", "standard deviation beyond that of the errors"),
    ("mean_error", "mag", "root mean square error"), ("median_error", "mag", "median error"),
    ("log_snr", "", "log10 of the standard deviation over the median error"),
    ("log_std", "", "log10 of the standard deviation in magnitudes"),
    ("faint_points", "", "part of the points more than 3 robust_std fainter than the median"),
    ("bright_points", "", "part of the points more than 3 robust_std brighter than the median"),
    ("faint_reach", "", "99th percentile less the median, over robust_std"),
    ("bright_reach", "", "median less the 1st percentile, over robust_std"),
    *((f"quantile_{q:02d}", "", f"{q}th percentile less the median, over amplitude_90") for q in statistics.DECILES),
    ("stetson_j", "", "Stetson's J of consecutive points (Stetson 1996, PASP 108, 851)"),
    ("stetson_k", "", "Stetson's K (Stetson 1996, PASP 108, 851)"),
    ("time_base", "d", "from the first point to the last"), ("cadence", "d", "median time between points"),
    ("longest_gap", "", "longest time without a point, over the time base"),
    ("duty_cycle", "", "part of a hundred equal stretches of time that have a point"),
    ("von_neumann", "", "mean square of successive differences over the variance (von Neumann 1941)"),
    ("trend", "mag / d", "slope of a straight line"), ("trend_explained", "", "part of the variance that the line explains"),
    ("cusum", "", "range of the sum of deviations, over points and standard deviation"),
    ("sign_changes", "", "part of the steps between points that cross the mean"),
    *((f"structure_{name}", "", f"scatter of points {text} apart, over that of all points")
      for name, text in zip(statistics.SPANS, ("up to 0.03 d", "0.03 to 0.5 d", "0.5 to 10 d", "10 to 200 d", "over 200 d"),
                            strict=True)),
    ("structure_slope", "", "slope of log scatter by log lag"),
]
_SLOW = [
    *((f"running_{kind}_{days}", "", f"{text} of the mean of {days} days about each point{over}") for days in slow.LENGTHS
      for kind, text, over in (("std", "standard deviation", ", over that of the points"), ("skew", "skewness", ""))),
    *((f"rest_{kind}_{days}", "", f"{text} of the points less that mean of {days} days{over}") for days in slow.LENGTHS
      for kind, text, over in (("std", "standard deviation", ", over that of the points"), ("skew", "skewness", ""))),
    *((f"autocorrelation_{low}", "", f"mean product of points {low} to {high + 1} days apart, over the variance")
      for low, high in slow.LAGS),
    ("season_std", "", "standard deviation of the means of years of 365.25 days, over that of the points"),
    ("season_range", "mag", "faintest less brightest mean of such a year"),
    ("season_change", "", "standard deviation of the years' standard deviations, over their mean"),
]
_PERIOD = [
    ("period", "d", "period"), ("period_err", "d", "one-sigma error of the period, if the cycle is the right one"),
    ("log_period", "", "log10 of the period in days"), ("log_period_err", "", "log10 of its relative error"),
    ("period_log_fap", "", "log10 of the false-alarm probability"),
    ("period_explained", "", "part of the variance that the Fourier series at the period explains"),
    ("period_harmonics", "", "harmonics of that series"),
    ("period_lead", "", "log evidence of the period over that of the next, unrelated one"),
    ("period_cycles", "", "log10 of the cycles in the time base"),
    ("period_amplitude", "mag", "faintest less brightest point of the series"),
    ("rise_fraction", "", "part of the cycle from its faintest to its brightest point"),
    ("steepest_rise", "", "steepest slope to brighter, over the amplitude a cycle"),
    ("faint_width", "", "part of the cycle that is fainter than halfway"),
    ("bright_width", "", "part of the cycle in the brightest quarter of the amplitude"),
    ("fourier_amplitude", "mag", "amplitude of the first of four harmonics"),
    *((f"r{k}1", "", f"amplitude of harmonic {k} over that of the first") for k in range(2, shapes.HARMONICS + 1)),
    *((f"phi{k}1_{wave}", "", f"{wave} of the phase of harmonic {k} less {k} times that of the first (Simon & Lee 1981)")
      for k in range(2, shapes.HARMONICS + 1) for wave in ("sin", "cos")),
    ("explained_double", "", "as period_explained, of 10 harmonics at twice the period"),
    ("minima_difference", "", "depth of the two minima of the double period, their difference over the amplitude"),
    ("maxima_difference", "", "the same for its two maxima"),
    ("minima_ratio", "", "depth below the median of the shallower minimum over that of the deeper"),
    *((f"{fold}_{kind}", "", text + when) for fold, when in (("fold", "the period"), ("fold_double", "twice the period"))
      for kind, text in (("filled", "part of 24 bins of phase that have a point, at "),
                         ("von_neumann", "sum of squared successive differences over that of deviations, folded at "))),
    *((f"fold_{k:02d}", "", f"magnitude {k}/24 of a period behind greatest light, about the mean, over the amplitude")
      for k in range(shapes.BINS)),
    *((f"fold_double_{k:02d}", "", f"magnitude {k}/24 of twice the period behind least light, as fold")
      for k in range(shapes.BINS)),
    *((f"explained_{k}", "", f"as period_explained, of {k} harmonics") for k in shapes.ORDERS),
    *((f"explained_double_{k}", "", f"as period_explained, of {k} harmonics at twice the period") for k in shapes.ORDERS),
    ("fold_scatter", "", "median over 24 bins of phase of the standard deviation within, over that of all points"),
    ("fold_scatter_change", "", "standard deviation over bins of that within, over its mean"),
    ("residual_log_noise", "", "log10 of the robust standard deviation about the series, over the median error"),
    ("residual_skew", "", "skewness about the series"), ("residual_kurtosis", "", "excess kurtosis about the series"),
    ("residual_von_neumann", "", "as von_neumann, about the series"),
    *_series("harmonic", f"the series of {shapes.SIX} harmonics"),
    *_series("double", f"the series of {shapes.DOUBLE} harmonics at twice the period"),
    *((f"wave_explained_{k:02d}", "", f"part of the variance that the strongest wave of {short:g} to {long:g} d explains")
      for k, (short, long) in enumerate(RANGES)),
    *_waves("wave", range(len(RANGES)), "the curve"),
    ("wave_long_short", "", "largest wave_amplitude of periods over 6 days less that of shorter ones"),
    *_waves("fast", peaks.FAST, f"the curve less its mean of {peaks.SLOW:.0f} days"),
    *_waves("second", range(len(RANGES)), "the curve less its series", period=False),
    ("second_log_period", "", "log10 of the best period of the curve less its series, in days"),
    ("second_explained", "", "part of the variance about the series that a sine of that period explains"),
    ("second_period_ratio", "", "log10 of that period over the first"),
    ("second_amplitude_ratio", "", "log10 of its amplitude over that of the first harmonic"),
]
#: what `curve_features` measures of every star, by name
FEATURES: Mapping[str, Feature] = {name: Feature(name, unit, text) for name, unit, text in (*_MAIN, *_SLOW, *_PERIOD)}
#: those that take the search of a period
PERIODIC = frozenset(name for name, _, _ in _PERIOD)
#: of these, what the search alone tells
SEARCHED = frozenset({"period", "period_err", "log_period", "log_period_err", "period_log_fap", "period_explained",
                      "period_harmonics", "period_lead", "period_cycles"})
#: those that are measured on a grid of days
SLOW = frozenset(name for name, _, _ in _SLOW)
#: those that say how often, how long and how deep a star was observed, and in how many bands
OF_SAMPLING = frozenset({"points_all", "points", "bands", "negative", "median", "mean_error", "median_error", "chi2",
                         "log_snr", "time_base", "cadence", "longest_gap", "duty_cycle"})
#: those that mean the same in every survey: not how a star was sampled, nor the strongest wave of each range of periods,
#: which is the noise's or the window's where the star has none
PORTABLE = tuple(name for name in FEATURES if name not in OF_SAMPLING and not name.startswith(("wave_", "fast_"))
                 and not (name.startswith("second_amplitude_") and name[-1].isdigit()))
