"""`POST /crm/persons`: takes the CRM's changes, and answers once the broker has confirmed them."""
