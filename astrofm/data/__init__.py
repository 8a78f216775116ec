"""What travels, and the operations on it: arrays for many stars at once."""

from .bands import band_means
from .boxes import Boxes, find_boxes
from .buckets import length_buckets, split_by_length
from .continuum import pseudo_continuum
from .extinction import deredden, transmission
from .feature_names import FEATURES, PORTABLE, Feature
from .features import colour_features, curve_features
from .linespread import LineSpread, broadening_matrix
from .periods import Periods, find_periods
from .resample import overlap_matrix, resample
from .sample import Batch, Sample, collate
from .series import light_curve, light_curves
from .wavelength import to_air, to_rest_frame, to_vacuum

__all__ = ["FEATURES", "PORTABLE", "Batch", "Boxes", "Feature", "LineSpread", "Periods", "Sample", "band_means",
           "broadening_matrix", "collate", "colour_features", "curve_features", "deredden", "find_boxes", "find_periods",
           "length_buckets", "light_curve", "light_curves", "overlap_matrix", "pseudo_continuum", "resample",
           "split_by_length", "to_air", "to_rest_frame", "to_vacuum", "transmission"]
