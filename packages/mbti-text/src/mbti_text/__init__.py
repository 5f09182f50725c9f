"""The text modality of BackdoorMBTI."""
