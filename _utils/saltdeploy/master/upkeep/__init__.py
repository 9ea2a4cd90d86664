"""What is done to a fleet beside deploys: cleanup, services, preseeding, set-up."""
