-- Records of the CRM by number: only those that have one
-- depends: 0009-reconciliations

-- migrate: apply

-- With all records in it, the index looked as good as the primary key for finding one by its id, to a planner that takes
-- the table for empty.
DROP INDEX crm_persons_mdn_e164;
CREATE INDEX crm_persons_mdn_e164 ON crm_persons (company_key, mdn_e164) WHERE mdn_e164 IS NOT NULL;

-- migrate: rollback
DROP INDEX crm_persons_mdn_e164;
CREATE INDEX crm_persons_mdn_e164 ON crm_persons (company_key, mdn_e164);
