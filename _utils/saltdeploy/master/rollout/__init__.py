"""The state machine of a deploy. No I/O, no clock. Start at machine.py."""
