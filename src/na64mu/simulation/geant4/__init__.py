"""The Geant4 back end (extra `geant4`): the same description, beam, trigger and digits, with the transport of Geant4."""
