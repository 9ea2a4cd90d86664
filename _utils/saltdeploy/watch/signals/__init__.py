"""What other systems hear of deploys: announcements, deployments of forges, annotations, metrics, traces."""
