"""A fast simulation of the experiment: beam, transport, losses, showers, digits, trigger; writes the raw tree."""
