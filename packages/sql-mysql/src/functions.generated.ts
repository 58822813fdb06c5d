/** Functions that the servers have built in; which are harmless is for functions.ts. MySQL 9.7 and MariaDB 10.11 were asked. Made by `pnpm fuzz mysql-words`: do not edit. */

export const MARIADB_FUNCTIONS: ReadonlySet<string> = new Set(
  `abs acos adddate addtime add_months aes_decrypt aes_encrypt area ascii asin atan atan2 avg benchmark bin
  binlog_gtid_pos bit_and bit_count bit_length bit_or bit_xor boundary buffer cast ceil ceiling centroid char
  character_length charset char_length chr coalesce coercibility collation column_add column_check column_create
  column_delete column_exists column_json column_list compress concat concat_operator_oracle concat_ws connection_id
  contains conv convert convert_tz cos cot count crc32 crc32c cume_dist curdate current_date current_role current_time
  current_timestamp current_user curtime database date datediff date_add date_format date_sub day dayname dayofmonth
  dayofweek dayofyear decode decode_histogram decode_oracle degrees dense_rank des_decrypt des_encrypt elt encode
  encrypt exp export_set extract extractvalue field find_in_set first_value floor format found_rows from_base64
  from_days from_unixtime geometrycollection get_format get_lock glength greatest group_concat hex hour if ifnull
  inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr interval isnull is_free_lock is_ipv4 is_ipv4_compat
  is_ipv4_mapped is_ipv6 is_used_lock json_array json_arrayagg json_array_append json_array_insert json_compact
  json_contains json_contains_path json_depth json_detailed json_equals json_exists json_extract json_insert json_keys
  json_length json_loose json_merge json_merge_patch json_merge_preserve json_normalize json_object json_objectagg
  json_overlaps json_pretty json_query json_quote json_remove json_replace json_search json_set json_type json_unquote
  json_valid json_value lag lastval last_day last_insert_id last_value lcase lead least left length lengthb linestring
  ln load_file localtime localtimestamp locate log log10 log2 lower lpad lpad_oracle ltrim ltrim_oracle makedate
  maketime make_set master_gtid_wait master_pos_wait max mbrcontains mbrdisjoint mbrequal mbrequals mbrintersects
  mbroverlaps mbrtouches mbrwithin md5 median microsecond mid min minute mod month monthname multilinestring multipoint
  multipolygon name_const natural_sort_key nextval now nth_value ntile nullif nvl nvl2 oct octet_length old_password ord
  overlaps password percentile_cont percentile_disc percent_rank period_add period_diff pi point polygon position pow
  power quarter quote radians rand random_bytes rank regexp_instr regexp_replace regexp_substr release_all_locks
  release_lock repeat replace replace_oracle reverse right round rownum row_count row_number rpad rpad_oracle rtrim
  rtrim_oracle schema second sec_to_time session_user sformat sha sha1 sha2 sign sin sleep soundex space sqrt srid std
  stddev stddev_pop stddev_samp strcmp str_to_date st_area st_asbinary st_asgeojson st_astext st_aswkb st_aswkt
  st_boundary st_buffer st_centroid st_contains st_convexhull st_crosses st_difference st_dimension st_disjoint
  st_distance st_distance_sphere st_endpoint st_envelope st_equals st_exteriorring st_geomcollfromtext
  st_geomcollfromwkb st_geometrycollectionfromtext st_geometrycollectionfromwkb st_geometryfromtext st_geometryfromwkb
  st_geometryn st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb st_interiorringn st_intersection
  st_intersects st_isclosed st_isempty st_isring st_issimple st_length st_linefromtext st_linefromwkb
  st_linestringfromtext st_linestringfromwkb st_mlinefromtext st_mlinefromwkb st_mpointfromtext st_mpointfromwkb
  st_mpolyfromtext st_mpolyfromwkb st_multilinestringfromtext st_multilinestringfromwkb st_multipointfromtext
  st_multipointfromwkb st_multipolygonfromtext st_multipolygonfromwkb st_numgeometries st_numinteriorrings st_numpoints
  st_overlaps st_pointfromtext st_pointfromwkb st_pointn st_pointonsurface st_polyfromtext st_polyfromwkb
  st_polygonfromtext st_polygonfromwkb st_relate st_srid st_startpoint st_symdifference st_touches st_union st_within
  st_x st_y subdate substr substring substring_index substr_oracle subtime sum sysdate system_user sys_guid tan time
  timediff timestamp timestampadd timestampdiff time_format time_to_sec to_base64 to_char to_days to_seconds trim
  trim_oracle truncate ucase uncompress uncompressed_length unhex unix_timestamp updatexml upper user utc_date utc_time
  utc_timestamp uuid uuid_short value variance var_pop var_samp version week weekday weekofyear weight_string within
  wsrep_last_seen_gtid wsrep_last_written_gtid wsrep_sync_wait_upto_gtid year yearweek`.split(/\s+/),
);

export const MYSQL_FUNCTIONS: ReadonlySet<string> = new Set(
  `abs acos adddate addtime aes_decrypt aes_encrypt any_value ascii asin asynchronous_connection_failover_add_managed
  asynchronous_connection_failover_add_source asynchronous_connection_failover_delete_managed
  asynchronous_connection_failover_delete_source asynchronous_connection_failover_reset atan atan2 avg benchmark bin
  bin_to_uuid bit_and bit_count bit_length bit_or bit_xor cast ceil ceiling char character_length charset char_length
  coalesce coercibility collation compress concat concat_ws connection_id conv convert convert_tz cos cot count crc32
  cume_dist curdate current_date current_role current_time current_timestamp current_user curtime database date datediff
  date_add date_format date_sub day dayname dayofmonth dayofweek dayofyear degrees dense_rank elt etag exp export_set
  extract extractvalue field find_in_set first_value floor format format_bytes format_pico_time found_rows from_base64
  from_days from_unixtime from_vector geomcollection geometrycollection get_format get_lock greatest grouping
  group_concat gtid_subset gtid_subtract hex hour icu_version if ifnull inet6_aton inet6_ntoa inet_aton inet_ntoa
  innodb_redo_log_archive_start innodb_redo_log_archive_stop innodb_redo_log_sharp_checkpoint
  innodb_set_open_files_limit insert instr interval isnull is_free_lock is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6
  is_used_lock is_uuid json_array json_arrayagg json_array_append json_array_insert json_contains json_contains_path
  json_depth json_extract json_insert json_keys json_length json_merge json_merge_patch json_merge_preserve json_object
  json_objectagg json_overlaps json_pretty json_quote json_remove json_replace json_schema_valid
  json_schema_validation_report json_search json_set json_storage_free json_storage_size json_type json_unquote
  json_valid json_value lag last_day last_insert_id last_value lcase lead least left length linestring ln load_file
  localtime localtimestamp locate log log10 log2 lower lpad ltrim makedate maketime make_set master_pos_wait max
  mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequals mbrintersects mbroverlaps mbrtouches mbrwithin microsecond
  mid min minute mod month monthname multilinestring multipoint multipolygon name_const now nth_value ntile nullif oct
  octet_length ord percent_rank period_add period_diff pi point polygon position pow power ps_current_thread_id
  ps_thread_id quarter quote radians rand random_bytes rank regexp_instr regexp_like regexp_replace regexp_substr
  release_all_locks release_lock repeat replace reverse right roles_graphml round row_count row_number rpad rtrim schema
  second sec_to_time session_user sha2 sign sin sleep soundex source_pos_wait space sqrt statement_digest
  statement_digest_text std stddev stddev_pop stddev_samp strcmp string_to_vector str_to_date st_area st_asbinary
  st_asgeojson st_astext st_aswkb st_aswkt st_buffer st_buffer_strategy st_centroid st_collect st_contains st_convexhull
  st_crosses st_difference st_dimension st_disjoint st_distance st_distance_sphere st_endpoint st_envelope st_equals
  st_exteriorring st_frechetdistance st_geohash st_geomcollfromtext st_geomcollfromtxt st_geomcollfromwkb
  st_geometrycollectionfromtext st_geometrycollectionfromwkb st_geometryfromtext st_geometryfromwkb st_geometryn
  st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb st_hausdorffdistance st_interiorringn
  st_intersection st_intersects st_isclosed st_isempty st_issimple st_isvalid st_latfromgeohash st_latitude st_length
  st_linefromtext st_linefromwkb st_lineinterpolatepoint st_lineinterpolatepoints st_linestringfromtext
  st_linestringfromwkb st_longfromgeohash st_longitude st_makeenvelope st_mlinefromtext st_mlinefromwkb
  st_mpointfromtext st_mpointfromwkb st_mpolyfromtext st_mpolyfromwkb st_multilinestringfromtext
  st_multilinestringfromwkb st_multipointfromtext st_multipointfromwkb st_multipolygonfromtext st_multipolygonfromwkb
  st_numgeometries st_numinteriorring st_numinteriorrings st_numpoints st_overlaps st_pointatdistance
  st_pointfromgeohash st_pointfromtext st_pointfromwkb st_pointn st_polyfromtext st_polyfromwkb st_polygonfromtext
  st_polygonfromwkb st_simplify st_srid st_startpoint st_swapxy st_symdifference st_touches st_transform st_union
  st_validate st_within st_x st_y subdate substr substring substring_index subtime sum sysdate system_user tan time
  timediff timestamp timestampadd timestampdiff time_format time_to_sec to_base64 to_days to_seconds to_vector trim
  truncate ucase uncompress uncompressed_length unhex unix_timestamp updatexml upper user utc_date utc_time
  utc_timestamp uuid uuid_short uuid_to_bin validate_password_strength values variance var_pop var_samp vector_dim
  vector_to_string version wait_for_executed_gtid_set week weekday weekofyear weight_string year yearweek`.split(/\s+/),
);
