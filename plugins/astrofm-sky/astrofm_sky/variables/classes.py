"""The classes of variables: what each is, how it varies, how hot it is, and who says so."""

from __future__ import annotations

from dataclasses import dataclass

from . import pulsators
from .binaries import Binary, Heartbeat
from .colours import CHEMICAL, DELTA_SCUTI, DISCS, DUST, HOT, QUASARS, RED_DISCS, YOUNG
from .fourier import FourierRow, FourierShape
from .irregular import Episodes, Flares, RandomWalk, Spots, Together
from .modes import MIRA_ROWS, Alternating, DrivenModes, ManyModes, Mira
from .shape import Constant, Shape, Span

#: the families that classes belong to, as trees of classes have them (Eyer & Mowlavi 2008, 2008JPhCS.118a2010E)
PARENTS = ("RR Lyrae", "Cepheid", "pulsator", "long-period", "eclipsing", "rotating", "eruptive", "cataclysmic", "quasar",
           "constant")


@dataclass(frozen=True)
class VariableClass:
    """A class of variables.

    Parameters
    ----------
    name : str
        As the General Catalogue of Variable Stars (GCVS; Samus et al. 2017, 2017ARep...61...80S) calls it. What it has not is
        named as in the International Variable Star Index (Watson et al. 2006, 2006SASS...25...47W: RRD, DCEP(B), HADS, SPB,
        HB, CTTS, WTTS, UXOR), by OGLE (OSARG), or by us (SOLAR, CONST). CWB and CWA are parted at 8 days, as there; OGLE
        does it at 4.
    parent : str
        Of `PARENTS`.
    title : str
        What it is, in words.
    teff : tuple of float
        Range of effective temperatures, K; even in the logarithm.
    shape : Shape
        How it varies.
    source : str
        Who published periods and amplitudes.
    """

    name: str
    parent: str
    title: str
    teff: tuple[float, float]
    shape: Shape
    source: str


RED = (2800, 3600)
_ALL = (
    VariableClass("RRAB", "RR Lyrae", "RR Lyrae star of the fundamental mode, a fifth with the Blazhko effect", (6100, 7000),
                  pulsators.RRAB, "Soszynski et al. 2009, 2009AcA....59....1S"),
    VariableClass("RRC", "RR Lyrae", "RR Lyrae star of the first overtone", (6800, 7400), pulsators.RRC,
                  "Soszynski et al. 2009, 2009AcA....59....1S"),
    VariableClass("RRD", "RR Lyrae", "RR Lyrae star of both modes; the period is the overtone's", (6600, 7100), pulsators.RRD,
                  "Soszynski et al. 2009, 2009AcA....59....1S"),
    VariableClass("DCEP", "Cepheid", "classical Cepheid of the fundamental mode", (4900, 6300), pulsators.DCEP,
                  "Soszynski et al. 2008, 2008AcA....58..163S"),
    VariableClass("DCEPS", "Cepheid", "classical Cepheid of the first overtone", (5600, 6600), pulsators.DCEP_1O,
                  "Soszynski et al. 2008, 2008AcA....58..163S"),
    VariableClass("DCEP(B)", "Cepheid", "classical Cepheid of both modes", (5500, 6500), pulsators.DCEP_BEAT,
                  "Soszynski et al. 2008, 2008AcA....58..163S"),
    VariableClass("CWB", "Cepheid", "type II Cepheid of short period, BL Herculis", (5800, 6600), pulsators.BL_HER,
                  "Soszynski et al. 2008, 2008AcA....58..293S"),
    VariableClass("CWA", "Cepheid", "type II Cepheid of long period, W Virginis", (4800, 6000), pulsators.W_VIR,
                  "Soszynski et al. 2008, 2008AcA....58..293S"),
    VariableClass("RV", "Cepheid", "RV Tauri star: deep and shallow minima take turns", (4500, 6000),
                  Alternating(Span(38, 150, 70, 0.15), Span(0.5, 2.0)), "Pollard et al. 1996, 1996MNRAS.279..949P"),
    VariableClass("HADS", "pulsator", "delta Scuti star of high amplitude", (6900, 8200), pulsators.HADS,
                  "McNamara 2000, 2000ASPC..210..373M"),
    VariableClass("DSCT", "pulsator", "delta Scuti star of many modes", (6700, 8600),
                  ManyModes(Span(0.02, 0.25, 0.07, 0.25), Span(0.003, 0.10, 0.02, 0.35), (3, 12), 1.8, DELTA_SCUTI),
                  "Rodriguez, Lopez-Gonzalez & Lopez de Coca 2000, 2000A&AS..144..469R"),
    VariableClass("GDOR", "pulsator", "gamma Doradus star", (6700, 7500),
                  ManyModes(Span(0.35, 3.0, 0.8, 0.17), Span(0.004, 0.08, 0.02, 0.3), (3, 9), 1.35, DELTA_SCUTI),
                  "Kaye et al. 1999, 1999PASP..111..840K; Li et al. 2020, 2020MNRAS.491.3586L"),
    VariableClass("SPB", "pulsator", "slowly pulsating B star", (11000, 20000),
                  ManyModes(Span(0.4, 5.0, 1.5, 0.2), Span(0.005, 0.1, 0.02, 0.3), (2, 9), 1.5, HOT),
                  "Waelkens 1991, 1991A&A...246..453W; De Cat & Aerts 2002, 2002A&A...393..965D"),
    VariableClass("BCEP", "pulsator", "beta Cephei star", (18000, 32000),
                  ManyModes(Span(0.08, 0.32, 0.18, 0.13), Span(0.006, 0.15, 0.03, 0.3), (1, 6), 1.15, HOT),
                  "Stankov & Handler 2005, 2005ApJS..158..193S"),
    VariableClass("ZZ", "pulsator", "pulsating white dwarf, ZZ Ceti", (10800, 12600),
                  ManyModes(Span(0.0014, 0.014, 0.006, 0.25), Span(0.005, 0.25, 0.03, 0.35), (2, 8), 1.6, HOT),
                  "Fontaine & Brassard 2008, 2008PASP..120.1043F"),
    VariableClass("M", "long-period", "Mira", RED, Mira(Span(90, 600, 290, 0.14), Span(2.5, 7.5, 4.0, 0.14), MIRA_ROWS),
                  "Samus et al. 2017, 2017ARep...61...80S; Whitelock et al. 2000, 2000MNRAS.319..728W"),
    VariableClass("SR", "long-period", "semiregular red giant", (3000, 3700),
                  DrivenModes(Span(25, 400, 110, 0.25), Span(0.15, 2.5, 0.5, 0.3)),
                  "Kiss et al. 1999, 1999A&A...346..542K; Soszynski et al. 2009, 2009AcA....59..239S"),
    VariableClass("OSARG", "long-period", "red giant of small amplitude", (3500, 4200),
                  DrivenModes(Span(9, 100, 28, 0.22), Span(0.02, 0.3, 0.08, 0.25), (0.68, 0.5, 1.45), (0.8, 0.6, 0.6)),
                  "Wray, Eyer & Paczynski 2004, 2004MNRAS.349.1059W; Soszynski et al. 2009, 2009AcA....59..239S"),
    VariableClass("EA", "eclipsing", "detached binary, Algol", (4500, 15000),
                  Binary(Span(0.5, 60, 3.2, 0.35), Span(0.15, 3.0), (0.18, 0.52), heat=(0.5, 1.0), inclination=(0, 0.25),
                         eccentric=True), "Avvakumova, Malkov & Kniazev 2013, 2013AN....334..860A"),
    VariableClass("EB", "eclipsing", "close binary, beta Lyrae", (5000, 20000),
                  Binary(Span(0.35, 15, 0.9, 0.28), Span(0.15, 1.5), (0.55, 0.70), (0.55, 1.0), (0.5, 0.9), (0, 0.5),
                         stretched=(1.0, 1.8)), "Avvakumova, Malkov & Kniazev 2013, 2013AN....334..860A"),
    VariableClass("EW", "eclipsing", "contact binary, W Ursae Majoris", (4500, 7000),
                  Binary(Span(0.22, 1.0, 0.37, 0.09), Span(0.12, 0.95), (0.72, 0.80), (0.38, 0.95), (0.94, 1.05), (0, 0.5),
                         mass_power=2.2, stretched=(1.0, 2.0)), "Rucinski 1997, 1997AJ....113..407R; Paczynski et al. 2006, "
                  "2006MNRAS.368.1311P"),
    VariableClass("ELL", "eclipsing", "ellipsoidal binary without eclipses", (4500, 15000),
                  Binary(Span(0.3, 30, 1.6, 0.4), Span(0.01, 0.25), (0.25, 0.48), (0.2, 1.0), (0.4, 1.0), (0.5, 0.9),
                         stretched=(0.9, 1.4)), "Morris 1985, 1985ApJ...295..143M; Green et al. 2023, 2023MNRAS.522...29G"),
    VariableClass("HB", "eclipsing", "heartbeat star", (5500, 10000), Heartbeat(Span(3, 60, 10, 0.3), Span(0.001, 0.02)),
                  "Thompson et al. 2012, 2012ApJ...753...86T; Kirk et al. 2016, 2016AJ....151...68K"),
    VariableClass("EP", "eclipsing", "star with a transiting giant planet", (4800, 6600),
                  Binary(Span(0.8, 20, 3.5, 0.2), Span(0.004, 0.03), (0.05, 0.28), (0.07, 0.15), (0.15, 0.35), (0, 0.12),
                         mass_power=3.0),
                  "Winn & Fabrycky 2015, 2015ARA&A..53..409W"),
    VariableClass("ACV", "rotating", "chemically peculiar star, alpha2 Canum Venaticorum", (8000, 15000),
                  FourierShape(Span(0.5, 30, 2.5, 0.35), (FourierRow(1, 0.03, 0.4, 0.05, 1, 1),), CHEMICAL, spread=0.5,
                               ratio_spread=0.9, phase_spread=1.5, fade=0.0),
                  "Mathys & Manfroid 1985, 1985A&AS...60...17M; Huemmerich, Paunzen & Bernhard 2016, 2016AJ....152..104H"),
    VariableClass("BY", "rotating", "spotted dwarf, BY Draconis", (3500, 5800), Spots(Span(0.5, 30, 6, 0.35),
                                                                                      Span(0.01, 0.4, 0.04, 0.35)),
                  "Chen et al. 2020, 2020ApJS..249...18C; McQuillan, Mazeh & Aigrain 2014, 2014ApJS..211...24M"),
    VariableClass("RS", "rotating", "spotted subgiant or giant of a close binary, RS Canum Venaticorum", (4300, 5300),
                  Spots(Span(1, 60, 10, 0.35), Span(0.08, 0.6), (6.0, 40.0), 0.05),
                  "Eker et al. 2008, 2008MNRAS.389.1722E; Drake 2006, 2006AJ....131.1044D"),
    VariableClass("SOLAR", "rotating", "quiet dwarf like the Sun", (4800, 6300),
                  Spots(Span(10, 45, 22, 0.15), Span(0.0005, 0.006), (0.4, 2.0), 0.15),
                  "McQuillan, Mazeh & Aigrain 2014, 2014ApJS..211...24M"),
    VariableClass("UV", "eruptive", "flare star, UV Ceti", (2800, 3800),
                  Together((Flares(Span(0.1, 2.0, 0.4, 0.3), Span(0.5, 8)), Spots(Span(0.2, 10, 1.2, 0.4), Span(0.005,
                                                                                                                0.05)))),
                  "Davenport 2016, 2016ApJ...829...23D; Lacy, Moffett & Evans 1976, 1976ApJS...30...85L"),
    VariableClass("BE", "eruptive", "B star with a disc that comes and goes, gamma Cassiopeiae", (12000, 28000),
                  Together((Episodes(Span(0.05, 0.4), Span(60, 1000), Span(5, 60), Span(2, 60), Span(30, 300), RED_DISCS,
                                     exponential=True), RandomWalk(Span(0.02, 0.1), Span(2, 100), RED_DISCS),
                            ManyModes(Span(0.25, 1.5), Span(0.004, 0.03), (1, 3), 1.3, HOT))),
                  "Rivinius, Carciofi & Martayan 2013, 2013A&ARv..21...69R; Labadie-Bartz et al. 2017, 2017AJ....153..252L"),
    VariableClass("CTTS", "eruptive", "young star that accretes, classical T Tauri", (3600, 5000),
                  Together((RandomWalk(Span(0.3, 2.0, 0.7, 0.2), Span(1, 20), YOUNG), Spots(Span(2, 12), Span(0.05, 0.3)))),
                  "Herbst et al. 1994, 1994AJ....108.1906H; Cody et al. 2014, 2014AJ....147...82C"),
    VariableClass("WTTS", "eruptive", "young spotted star, weak-line T Tauri", (3400, 5000),
                  Spots(Span(0.4, 14, 3.5, 0.3), Span(0.08, 0.6), (20.0, 100.0), 0.02),
                  "Grankin et al. 2008, 2008A&A...479..827G"),
    VariableClass("UXOR", "eruptive", "young star behind clumps of dust, UX Orionis", (7000, 10500),
                  Together((Episodes(Span(0.5, 3.0), Span(15, 120), Span(1, 10), Span(0.5, 8), Span(2, 12), DUST, fading=True,
                                     exponential=True, least=0.1), RandomWalk(Span(0.05, 0.3), Span(2, 30), YOUNG))),
                  "Herbst & Shevchenko 1999, 1999AJ....118.1043H"),
    VariableClass("RCB", "eruptive", "carbon-rich supergiant that hides in its dust, R Coronae Borealis", (5000, 7000),
                  Together((Episodes(Span(2.0, 8.0), Span(400, 2500), Span(15, 60), Span(5, 80), Span(60, 250), DUST,
                                     fading=True,
                                     exponential=True, least=0.2),
                            DrivenModes(Span(35, 60), Span(0.1, 0.4), (0.6,), (0.3,), long=0.0))),
                  "Clayton 1996, 1996PASP..108..225C"),
    VariableClass("UG", "cataclysmic", "dwarf nova", (9000, 15000),
                  Together((Episodes(Span(2.0, 6.0), Span(12, 250), Span(0.4, 1.5), Span(1, 8), Span(1.0, 3.0), DISCS,
                                     least=0.7),
                            RandomWalk(Span(0.2, 0.8), Span(0.02, 0.3), DISCS))),
                  "Warner 1995, 1995cvs..book.....W; Otulakowska-Hypka et al. 2016, 2016MNRAS.460.2526O"),
    VariableClass("NL", "cataclysmic", "nova-like variable: a disc that always flickers", (12000, 30000),
                  Together((RandomWalk(Span(0.2, 1.0), Span(5, 60), DISCS), RandomWalk(Span(0.1, 0.4), Span(0.005,
                                                                                                            0.05), DISCS))),
                  "Warner 1995, 1995cvs..book.....W; Bruch 2021, 2021MNRAS.503..953B"),
    VariableClass("QSO", "quasar", "quasar", (12000, 20000), RandomWalk(Span(0.2, 1.2, 0.45, 0.2), Span(60, 1000, 240,
                                                                                                        0.3), QUASARS),
                  "MacLeod et al. 2010, 2010ApJ...721.1014M"),
    VariableClass("CONST", "constant", "star that does not vary", (3500, 12000), Constant(), ""),
)
#: the classes, by name
CLASSES: dict[str, VariableClass] = {one.name: one for one in _ALL}
