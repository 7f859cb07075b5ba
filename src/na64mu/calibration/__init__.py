"""Constants that are fitted from data: MIP windows."""
