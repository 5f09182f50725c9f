"""Image data sets, models, noises and attacks for BackdoorMBTI."""
