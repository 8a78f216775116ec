"""Radial pulsators of one or two modes, by published shapes.

The numbers of RRAB, RRC and DCEP are rounded medians of stars of ASAS and Hipparcos, measured by us, along the relations that
the papers found; those of the others follow the papers from memory and were not measured.
"""

from __future__ import annotations

from .colours import CEPHEIDS, DELTA_SCUTI, RR_LYRAE
from .fourier import DoubleMode, FourierRow, FourierShape
from .shape import Span

#: V of ab type: Simon & Teays 1982, 1982ApJ...261..586S; Jurcsik & Kovacs 1996, 1996A&A...312..111J; amplitudes of
#: Cacciari et al. 2005, 2005AJ....129..267C
RRAB_ROWS = (FourierRow(0.38, 1.15, 0.50, 0.35, 0.75, 1.75), FourierRow(0.5, 1.05, 0.47, 0.34, 0.78, 1.85),
             FourierRow(0.6, 0.85, 0.47, 0.31, 0.90, 2.10), FourierRow(0.7, 0.65, 0.46, 0.27, 1.10, 2.45),
             FourierRow(0.85, 0.45, 0.42, 0.21, 1.30, 2.90))
#: V of c type: the same
RRC_ROWS = (FourierRow(0.21, 0.35, 0.17, 0.06, 1.45, 3.10), FourierRow(0.29, 0.48, 0.16, 0.065, 1.50, 3.20),
            FourierRow(0.34, 0.43, 0.09, 0.065, 1.85, 3.45), FourierRow(0.45, 0.33, 0.07, 0.06, 2.10, 3.90))
#: first overtone of stars in two modes: period of the overtone, and fundamental over it (Petersen diagram of Soszynski
#: et al. 2009, 2009AcA....59....1S; 2014, 2014AcA....64..177S)
RRD_RATIO = ((0.30, 0.34, 0.36, 0.39, 0.42), (1.3550, 1.3466, 1.3441, 1.3405, 1.3393))
RRAB = FourierShape(Span(0.36, 0.95, 0.575, 0.062), RRAB_ROWS, RR_LYRAE, modulated=0.2, fade=0.66)
RRC = FourierShape(Span(0.2, 0.46, 0.33, 0.06), RRC_ROWS, RR_LYRAE, spread=0.15, ratio_spread=0.2, phase_spread=0.25)
RRD = DoubleMode(FourierShape(Span(0.31, 0.42, 0.36, 0.025), RRC_ROWS, RR_LYRAE, spread=0.15), RRD_RATIO)
#: V of classical Cepheids with the Hertzsprung progression: Simon & Lee 1981, 1981ApJ...248..291S; Simon & Moffett 1985,
#: 1985PASP...97.1078S; amplitudes of Klagyivik & Szabados 2009, 2009A&A...504..959K
DCEP_ROWS = (FourierRow(1.5, 0.65, 0.42, 0.22, 0.85, 1.95), FourierRow(3.0, 0.65, 0.38, 0.17, 1.00, 2.25),
             FourierRow(4.5, 0.70, 0.38, 0.15, 1.25, 2.40), FourierRow(6.5, 0.72, 0.37, 0.13, 1.45, 2.65),
             FourierRow(7.6, 0.70, 0.31, 0.13, 1.78, 2.95), FourierRow(8.6, 0.62, 0.22, 0.13, 2.20, 4.10),
             FourierRow(9.7, 0.55, 0.11, 0.09, 2.65, 5.20), FourierRow(11.3, 0.85, 0.12, 0.13, 0.76, 0.70),
             FourierRow(13.0, 1.00, 0.20, 0.13, 1.20, 1.25), FourierRow(16.0, 1.08, 0.28, 0.19, 1.20, 1.75),
             FourierRow(20.0, 1.10, 0.33, 0.20, 1.20, 2.15), FourierRow(30.0, 1.15, 0.38, 0.23, 1.30, 2.55),
             FourierRow(70.0, 1.05, 0.40, 0.22, 1.40, 2.75))
#: V of first overtones: Antonello & Poretti 1986, 1986A&A...169..149A. Phases of light jump near 3.2 days; velocities put the
#: resonance at 4.6 days (Kienzle et al. 1999, 1999A&A...341..818K)
OVERTONE_ROWS = (FourierRow(0.5, 0.38, 0.28, 0.12, 1.10, 2.30), FourierRow(1.5, 0.38, 0.22, 0.07, 1.40, 2.80),
                 FourierRow(2.5, 0.37, 0.14, 0.05, 1.90, 3.60), FourierRow(3.2, 0.35, 0.05, 0.03, 3.00, 5.20),
                 FourierRow(4.0, 0.36, 0.08, 0.03, 0.60, 1.00), FourierRow(6.5, 0.38, 0.15, 0.04, 1.10, 2.00))
#: V of type II: Petersen & Diethelm 1986, 1986A&A...156..337P (BL Herculis); Soszynski et al. 2008, 2008AcA....58..293S
BL_HER_ROWS = (FourierRow(1.0, 0.90, 0.42, 0.20, 0.90, 2.00), FourierRow(1.5, 0.80, 0.40, 0.16, 1.50, 3.20),
               FourierRow(2.2, 0.75, 0.30, 0.15, 2.40, 4.60), FourierRow(4.0, 0.68, 0.25, 0.10, 2.80, 5.20),
               FourierRow(8.0, 0.72, 0.13, 0.06, 1.60, 3.20))
W_VIR_ROWS = (FourierRow(8.0, 0.72, 0.13, 0.06, 1.60, 3.20), FourierRow(10.0, 0.80, 0.12, 0.06, 1.40, 3.00),
              FourierRow(16.0, 1.00, 0.22, 0.12, 0.80, 2.00), FourierRow(22.0, 1.05, 0.25, 0.10, 1.00, 2.20))
#: V of high-amplitude delta Scuti stars: Poretti 2001, 2001A&A...371..986P
HADS_ROWS = (FourierRow(0.05, 0.40, 0.30, 0.12, 0.85, 1.90), FourierRow(0.12, 0.42, 0.36, 0.17, 0.85, 1.90),
             FourierRow(0.20, 0.42, 0.38, 0.17, 0.95, 2.20))
#: period of a Cepheid's fundamental mode, and first overtone over it (Alcock et al. 1995, 1995AJ....109.1653A;
#: Soszynski et al. 2008, 2008AcA....58..163S)
BEAT_RATIO = ((2.0, 4.0, 6.5), (0.720, 0.705, 0.695))

DCEP = FourierShape(Span(1.5, 70.0, 6.0, 0.27), DCEP_ROWS, CEPHEIDS)
DCEP_1O = FourierShape(Span(0.5, 6.5, 2.2, 0.22), OVERTONE_ROWS, CEPHEIDS, ratio_spread=0.2, phase_spread=0.2)
DCEP_BEAT = DoubleMode(FourierShape(Span(2.0, 6.5, 4.0, 0.15), DCEP_ROWS, CEPHEIDS, spread=0.15), BEAT_RATIO)
BL_HER = FourierShape(Span(1.0, 8.0, 1.8, 0.25), BL_HER_ROWS, CEPHEIDS, ratio_spread=0.25, phase_spread=0.35)
W_VIR = FourierShape(Span(8.0, 20.0, 14.0, 0.13), W_VIR_ROWS, CEPHEIDS, ratio_spread=0.3, phase_spread=0.4)
HADS = FourierShape(Span(0.05, 0.20, 0.11, 0.17), HADS_ROWS, DELTA_SCUTI, spread=0.35)
