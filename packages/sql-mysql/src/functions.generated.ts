/**
 * Functions that the servers have built in: MySQL 9.7 and MariaDB 10.11 were asked about each name that their programs hold. Made by
 * `pnpm fuzz mysql-words`: do not edit. Which of them are harmless is for functions.ts.
 */
const BOTH = `abs acos adddate addtime aes_decrypt aes_encrypt ascii asin atan atan2 avg benchmark bin bit_and bit_count
  bit_length bit_or bit_xor cast ceil ceiling char character_length charset char_length coalesce coercibility
  collation compress concat concat_ws connection_id conv convert convert_tz cos cot count crc32 cume_dist curdate
  current_date current_role current_time current_timestamp current_user curtime database date datediff date_add
  date_format date_sub day dayname dayofmonth dayofweek dayofyear degrees dense_rank elt exp export_set extract
  extractvalue field find_in_set first_value floor format found_rows from_base64 from_days from_unixtime
  geometrycollection get_format get_lock greatest group_concat hex hour if ifnull inet6_aton inet6_ntoa inet_aton
  inet_ntoa insert instr interval isnull is_free_lock is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6 is_used_lock
  json_array json_arrayagg json_array_append json_array_insert json_contains json_contains_path json_depth
  json_extract json_insert json_keys json_length json_merge json_merge_patch json_merge_preserve json_object
  json_objectagg json_overlaps json_pretty json_quote json_remove json_replace json_search json_set json_type
  json_unquote json_valid json_value lag last_day last_insert_id last_value lcase lead least left length linestring ln
  load_file localtime localtimestamp locate log log10 log2 lower lpad ltrim makedate maketime make_set master_pos_wait
  max mbrcontains mbrdisjoint mbrequals mbrintersects mbroverlaps mbrtouches mbrwithin microsecond mid min minute mod
  month monthname multilinestring multipoint multipolygon name_const now nth_value ntile nullif oct octet_length ord
  percent_rank period_add period_diff pi point polygon position pow power quarter quote radians rand random_bytes rank
  regexp_instr regexp_replace regexp_substr release_all_locks release_lock repeat replace reverse right round
  row_count row_number rpad rtrim schema second sec_to_time session_user sha2 sign sin sleep soundex space sqrt std
  stddev stddev_pop stddev_samp strcmp str_to_date st_area st_asbinary st_asgeojson st_astext st_aswkb st_aswkt
  st_buffer st_centroid st_contains st_convexhull st_crosses st_difference st_dimension st_disjoint st_distance
  st_distance_sphere st_endpoint st_envelope st_equals st_exteriorring st_geomcollfromtext st_geomcollfromwkb
  st_geometrycollectionfromtext st_geometrycollectionfromwkb st_geometryfromtext st_geometryfromwkb st_geometryn
  st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb st_interiorringn st_intersection st_intersects
  st_isclosed st_isempty st_issimple st_length st_linefromtext st_linefromwkb st_linestringfromtext
  st_linestringfromwkb st_mlinefromtext st_mlinefromwkb st_mpointfromtext st_mpointfromwkb st_mpolyfromtext
  st_mpolyfromwkb st_multilinestringfromtext st_multilinestringfromwkb st_multipointfromtext st_multipointfromwkb
  st_multipolygonfromtext st_multipolygonfromwkb st_numgeometries st_numinteriorrings st_numpoints st_overlaps
  st_pointfromtext st_pointfromwkb st_pointn st_polyfromtext st_polyfromwkb st_polygonfromtext st_polygonfromwkb
  st_srid st_startpoint st_symdifference st_touches st_union st_within st_x st_y subdate substr substring
  substring_index subtime sum sysdate system_user tan time timediff timestamp timestampadd timestampdiff time_format
  time_to_sec to_base64 to_days to_seconds trim truncate ucase uncompress uncompressed_length unhex unix_timestamp
  updatexml upper user utc_date utc_time utc_timestamp uuid uuid_short variance var_pop var_samp version week weekday
  weekofyear weight_string year yearweek`;

const MARIADB = `add_months area binlog_gtid_pos boundary buffer centroid chr column_add column_check column_create column_delete
  column_exists column_json column_list concat_operator_oracle contains crc32c decode decode_histogram decode_oracle
  des_decrypt des_encrypt encode encrypt glength json_compact json_detailed json_equals json_exists json_loose
  json_normalize json_query lengthb lpad_oracle ltrim_oracle master_gtid_wait mbrequal md5 median natural_sort_key nvl
  nvl2 old_password overlaps password percentile_cont percentile_disc replace_oracle rownum rpad_oracle rtrim_oracle
  sformat sha sha1 srid st_boundary st_isring st_pointonsurface st_relate substr_oracle sys_guid to_char value within
  wsrep_last_seen_gtid wsrep_last_written_gtid wsrep_sync_wait_upto_gtid`;

const MYSQL = `any_value asynchronous_connection_failover_add_managed asynchronous_connection_failover_add_source
  asynchronous_connection_failover_delete_managed asynchronous_connection_failover_delete_source
  asynchronous_connection_failover_reset bin_to_uuid etag format_bytes format_pico_time from_vector geomcollection
  grouping gtid_subset gtid_subtract icu_version innodb_redo_log_archive_start innodb_redo_log_archive_stop
  innodb_redo_log_sharp_checkpoint innodb_set_open_files_limit is_uuid json_schema_valid json_schema_validation_report
  json_storage_free json_storage_size mbrcoveredby mbrcovers ps_current_thread_id ps_thread_id regexp_like
  roles_graphml source_pos_wait statement_digest statement_digest_text string_to_vector st_buffer_strategy st_collect
  st_frechetdistance st_geohash st_geomcollfromtxt st_hausdorffdistance st_isvalid st_latfromgeohash st_latitude
  st_lineinterpolatepoint st_lineinterpolatepoints st_longfromgeohash st_longitude st_makeenvelope st_numinteriorring
  st_pointatdistance st_pointfromgeohash st_simplify st_swapxy st_transform st_validate to_vector uuid_to_bin
  validate_password_strength values vector_dim vector_to_string wait_for_executed_gtid_set`;

const words = (...lists: readonly string[]): ReadonlySet<string> => new Set(lists.flatMap((list) => list.split(/\s+/)));

export const MYSQL_FUNCTIONS = words(BOTH, MYSQL);
export const MARIADB_FUNCTIONS = words(BOTH, MARIADB);
