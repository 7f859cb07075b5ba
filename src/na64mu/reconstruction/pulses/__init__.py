"""Waveforms of sampling ADCs -> pulses -> energies and times."""
