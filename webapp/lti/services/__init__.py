"""What this tool asks of platforms (Names and Role Provisioning, Assignment and Grades), and the keys it signs with."""
