"""Leung & Bovy's foundation model of stars: named quantities in, named quantities out."""
