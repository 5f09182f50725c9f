"""The audio modality of BackdoorMBTI."""
