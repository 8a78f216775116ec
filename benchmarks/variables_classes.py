"""Classifiers of numbers, and one table of what the surveys' class names mean."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

#: classes in common, by set, under the names of the General Catalogue of Variable Stars (Samus et al. 2017,
#: 2017ARep...61...80S; CW is CWA and CWB) but for RRD and DCEP(B), which it calls RR(B) and CEP(B), and for HAEBE: Herbig's
#: Ae and Be stars are among its INA, ISA and IA. What the sets' own names mean: ASAS, Richards et al. 2012,
#: 2012ApJS..203...32R; ACVS, Pojmanski 2002, 2002AcA....52..397P (EC, ESD, ED: contact, semidetached, detached); Hipparcos
#: and OGLE, Debosscher et al. 2007, 2007A&A...475.1159D. What means several things is not here (ECL, LSP, SARG,
#: supergiants), and EROS has families only: those are the second table
SYNONYMS: dict[str, dict[str, str]] = {
    "asas": {"Mira": "M", "Semireg_PV": "SR", "RV_Tauri": "RV", "Classical_Cepheid": "DCEP", "PopII_Cepheid": "CW",
             "MultiMode_Cepheid": "DCEP(B)", "RR_Lyrae_FM": "RRAB", "RR_Lyrae_FO": "RRC", "RR_Lyrae_DM": "RRD",
             "Delta_Scuti": "DSCT", "Beta_Cephei": "BCEP", "ChemPeculiar": "ACV", "Beta_Persei": "EA", "Beta_Lyrae": "EB",
             "W_Ursae_Maj": "EW", "Ellipsoidal": "ELL", "Herbig_AEBE": "HAEBE", "S_Doradus": "SDOR"},
    "acvs": {"MIRA": "M", "RRAB": "RRAB", "RRC": "RRC", "DSCT": "DSCT", "ACV": "ACV", "BCEP": "BCEP", "ED": "EA", "ESD": "EB",
             "EC": "EW"},
    "hipparcos-ogle": {"Mira": "M", "Semiregular Pulsating Variable": "SR", "RV Tauri": "RV", "Classical Cepheid": "DCEP",
                       "Population II Cepheid": "CW", "Multiple Mode Cepheid": "DCEP(B)",
                       "RR Lyrae, Fundamental Mode": "RRAB", "RR Lyrae, First Overtone": "RRC",
                       "RR Lyrae, Double Mode": "RRD", "Delta Scuti": "DSCT", "Beta Cephei": "BCEP",
                       "Chemically Peculiar Stars": "ACV", "Algol (Beta Persei)": "EA", "Beta Lyrae": "EB",
                       "W Ursae Majoris": "EW", "Ellipsoidal": "ELL", "Herbig AE/BE Star": "HAEBE", "S Doradus": "SDOR"},
}
#: families of the classes above, as EROS tells them apart
FAMILIES = {"M": "long-period", "SR": "long-period", "DCEP": "Cepheid", "DCEP(B)": "Cepheid", "RRAB": "RR Lyrae",
            "RRC": "RR Lyrae", "RRD": "RR Lyrae", "EA": "eclipsing", "EB": "eclipsing", "EW": "eclipsing"}


def common_classes(name: str, classes: np.ndarray, *, families: bool = False) -> np.ndarray:
    """Translate the classes of a set; an empty string where there is no common name; shape ``(n,)``."""
    if name == "eros":
        return np.asarray(classes, str) if families else np.full(len(classes), "", dtype="U1")
    if name not in SYNONYMS:
        raise ValueError(f"no synonyms of the classes of {name!r}: there are some of {', '.join([*SYNONYMS, 'eros'])}")
    found = [SYNONYMS[name].get(str(each), "") for each in classes]
    return np.array([FAMILIES.get(each, "") for each in found] if families else found, str)


class Tidy:
    """Put features in order for scikit-learn: NaN to the median, infinite to the ends, and each to a normal distribution.

    Trees need no normal distribution; neighbours, networks and planes do.
    """

    def __init__(self, normal: bool):
        self.normal = normal

    def fit(self, told: np.ndarray, _: Any = None) -> Tidy:
        """Learn medians and ranks of ``told``, shape ``(n, d)``."""
        finite = np.where(np.isfinite(told), told, np.nan)
        seen = np.isfinite(finite).any(0)
        self.middle = np.zeros(told.shape[1])
        self.middle[seen] = np.nanmedian(finite[:, seen], axis=0)
        if self.normal:
            from sklearn.preprocessing import QuantileTransformer

            self.ranks = QuantileTransformer(n_quantiles=min(100, len(told)), output_distribution="normal", subsample=100_000)
            self.ranks.fit(np.where(np.isfinite(told), told, self.middle))
        return self

    def transform(self, told: np.ndarray) -> np.ndarray:
        """Give numbers that are all finite; shape ``(n, d)``."""
        tidy = np.clip(np.where(np.isfinite(told), told, self.middle), -1e30, 1e30)
        return np.clip(self.ranks.transform(tidy), -3, 3) if self.normal else tidy


def _forest(seed: int, trees: int, stars: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(trees, random_state=seed)


def _extra(seed: int, trees: int, stars: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(trees, random_state=seed, class_weight="balanced", max_features=0.4)


def _neighbours(seed: int, trees: int, stars: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(min(5, stars), weights="distance")


def _network(seed: int, trees: int, stars: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((128,), alpha=1e-2, learning_rate_init=3e-3, max_iter=100, random_state=seed)


def _plane(seed: int, trees: int, stars: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=0.05, max_iter=500)


#: by name: how it is made, and whether it needs features of normal distribution. forest, knn, mlp and linear are StarEmbed's
#: (Li et al. 2025, arXiv:2510.06200), each with one setting in place of a search
CLASSIFIERS: dict[str, tuple[Callable[[int, int, int], Any], bool]] = {
    "forest": (_forest, False), "extra-trees": (_extra, False), "knn": (_neighbours, True), "mlp": (_network, True),
    "linear": (_plane, True)}


def chances(kind: str, told: np.ndarray, classes: np.ndarray, new: np.ndarray, *, seed: int = 0, trees: int = 500,
            names: np.ndarray | None = None) -> np.ndarray:
    """Learn classes of ``told`` and give the probabilities of ``new`` stars.

    Parameters
    ----------
    kind : str
        Of `CLASSIFIERS`, or several joined by ``+``: the mean of their probabilities.
    told, new : array, shapes ``(n, d)`` and ``(m, d)``
    classes : array of str, shape ``(n,)``
    seed, trees : int
    names : array of str, optional
        Sorted classes of the answer; those of ``classes`` unless given. What was never seen has probability 0.

    Returns
    -------
    ndarray, shape ``(m, c)``

    Raises
    ------
    ValueError
        There is no such classifier.
    """
    from sklearn.exceptions import ConvergenceWarning

    names = np.unique(classes) if names is None else names
    total = np.zeros((len(new), len(names)))
    kinds = kind.split("+")
    for each in kinds:
        if each not in CLASSIFIERS:
            raise ValueError(f"no classifier {each!r}: there are {', '.join(CLASSIFIERS)}, and sums such as forest+linear")
        make, normal = CLASSIFIERS[each]
        tidy, learner = Tidy(normal).fit(told), make(seed, trees, len(told))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # networks and planes stop after so many rounds
            warnings.filterwarnings("ignore", "The number of unique classes")  # one star of each is what is asked for
            learner.fit(tidy.transform(told), classes)
        total[:, np.searchsorted(names, learner.classes_)] += learner.predict_proba(tidy.transform(new))
    return total / len(kinds)
