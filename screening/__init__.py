"""Children, consent and administrations, and the store that everything stateful stands on."""
