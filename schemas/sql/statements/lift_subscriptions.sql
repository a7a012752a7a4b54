-- Take the stays of persons that are being merged out of the mirror. $1 uuid[] persons. Returns them.
DELETE FROM subscriptions WHERE person_uid = ANY ($1::uuid[])
RETURNING
    person_uid, list_id, opt_in_date, opt_in_event_id, opt_in_event_date, acquisition_campaign_id,
    opt_out_date, opt_out_reason, opt_out_event_id, opt_out_event_date
