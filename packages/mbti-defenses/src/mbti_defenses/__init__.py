"""Backdoor defenses that name no modality, for BackdoorMBTI."""
