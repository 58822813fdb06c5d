/**
 * Functions of extensions that compute from their arguments and read nothing else: compiled ones, as `create extension` makes
 * them (pg_proc of PostgreSQL 15 with postgis 3.3; pgvector by its documentation). Left out is what runs SQL, reads statistics
 * (st_estimatedextent, _postgis_stats), makes tables (st_fromflatgeobuftotable), or keeps something in a setting (set_limit of
 * pg_trgm). Functions in SQL are not here: their bodies are read. A name counts for members of the extension only.
 */
const NAMES: Readonly<Record<string, string>> = {
  btree_gist: `cash_dist date_dist float4_dist float8_dist gbtreekey16_out gbtreekey2_out gbtreekey32_out gbtreekey4_out
    gbtreekey8_out gbtreekey_var_out int2_dist int4_dist int8_dist interval_dist oid_dist time_dist ts_dist
    tstz_dist`,
  citext: `citext citext_cmp citext_eq citext_ge citext_gt citext_hash citext_hash_extended citext_larger citext_le
    citext_lt citext_ne citext_pattern_cmp citext_pattern_ge citext_pattern_gt citext_pattern_le citext_pattern_lt
    citext_smaller citextout citextsend max min texticlike texticnlike texticregexeq texticregexne`,
  hstore: `akeys avals defined delete each exist exists_all exists_any fetchval ghstore_out hs_concat hs_contained
    hs_contains hstore hstore_cmp hstore_eq hstore_ge hstore_gt hstore_hash hstore_hash_extended hstore_le hstore_lt
    hstore_ne hstore_out hstore_send hstore_to_array hstore_to_json hstore_to_json_loose hstore_to_jsonb
    hstore_to_jsonb_loose hstore_to_matrix hstore_version_diag isdefined isexists populate_record skeys slice
    slice_array svals tconvert`,
  intarray: `_int_contained _int_contains _int_different _int_inter _int_overlap _int_same _int_union _intbig_out boolop
    bqarr_out icount idx intarray_del_elem intarray_push_array intarray_push_elem intset intset_subtract
    intset_union_elem querytree rboolop sort sort_asc sort_desc subarray uniq`,
  ltree: `_lt_q_regex _lt_q_rregex _ltq_extract_regex _ltq_regex _ltq_rregex _ltree_extract_isparent
    _ltree_extract_risparent _ltree_isparent _ltree_r_isparent _ltree_r_risparent _ltree_risparent _ltxtq_exec
    _ltxtq_extract_exec _ltxtq_rexec index lca lquery_out lquery_send lt_q_regex lt_q_rregex ltq_regex ltq_rregex
    ltree2text ltree_addltree ltree_addtext ltree_cmp ltree_eq ltree_ge ltree_gist_out ltree_gt ltree_isparent
    ltree_le ltree_lt ltree_ne ltree_out ltree_risparent ltree_send ltree_textadd ltxtq_exec ltxtq_out ltxtq_rexec
    ltxtq_send nlevel subltree subpath text2ltree`,
  pg_trgm: `gtrgm_out show_trgm similarity similarity_dist similarity_op strict_word_similarity
    strict_word_similarity_commutator_op strict_word_similarity_dist_commutator_op strict_word_similarity_dist_op
    strict_word_similarity_op word_similarity word_similarity_commutator_op word_similarity_dist_commutator_op
    word_similarity_dist_op word_similarity_op`,
  pgcrypto: `armor crypt dearmor decrypt decrypt_iv digest encrypt encrypt_iv gen_random_bytes gen_random_uuid gen_salt hmac
    pgp_armor_headers pgp_key_id pgp_pub_decrypt pgp_pub_decrypt_bytea pgp_pub_encrypt pgp_pub_encrypt_bytea
    pgp_sym_decrypt pgp_sym_decrypt_bytea pgp_sym_encrypt pgp_sym_encrypt_bytea`,
  postgis: `_st_3ddfullywithin _st_3ddwithin _st_3dintersects _st_asgml _st_asx3d _st_bestsrid _st_contains
    _st_containsproperly _st_coveredby _st_covers _st_crosses _st_dfullywithin _st_distancerecttree
    _st_distanceuncached _st_dwithin _st_equals _st_geomfromgml _st_intersects _st_linecrossingdirection
    _st_longestline _st_orderingequals _st_pointoutside _st_sortablehash _st_touches _st_voronoi box box2d box3d
    box3dtobox bytea contains_2d equals geography geography_cmp geography_distance_knn geography_eq geography_ge
    geography_gt geography_le geography_lt geography_overlaps geography_send geometry geometry_above geometry_below
    geometry_cmp geometry_contained_3d geometry_contains geometry_contains_3d geometry_contains_nd
    geometry_distance_box geometry_distance_centroid geometry_distance_centroid_nd geometry_distance_cpa geometry_eq
    geometry_ge geometry_gt geometry_hash geometry_le geometry_left geometry_lt geometry_overabove
    geometry_overbelow geometry_overlaps geometry_overlaps_3d geometry_overlaps_nd geometry_overleft
    geometry_overright geometry_right geometry_same geometry_same_3d geometry_same_nd geometry_send geometry_within
    geometry_within_nd geometrytype geomfromewkb geomfromewkt is_contained_2d json jsonb overlaps_2d overlaps_geog
    overlaps_nd path point polygon postgis_dropbbox postgis_geos_noop postgis_geos_version postgis_getbbox
    postgis_hasbbox postgis_lib_revision postgis_liblwgeom_version postgis_libprotobuf_version postgis_noop
    postgis_proj_version postgis_scripts_released postgis_transform_geometry postgis_typmod_dims postgis_typmod_srid
    postgis_typmod_type postgis_wagyu_version st_3dclosestpoint st_3ddfullywithin st_3ddwithin st_3dextent
    st_3dintersects st_3dlength st_3dlongestline st_3dmakebox st_3dmaxdistance st_3dperimeter st_3dshortestline
    st_addmeasure st_addpoint st_affine st_angle st_area st_area2d st_asbinary st_asencodedpolyline st_asewkb
    st_asewkt st_asflatgeobuf st_asgeobuf st_asgeojson st_asgml st_ashexewkb st_askml st_aslatlontext st_asmarc21
    st_asmvt st_asmvtgeom st_assvg st_astext st_astwkb st_azimuth st_boundary st_boundingdiagonal
    st_box2dfromgeohash st_buffer st_buildarea st_centroid st_chaikinsmoothing st_cleangeometry st_clipbybox2d
    st_closestpointofapproach st_clusterdbscan st_clusterintersecting st_clusterkmeans st_clusterwithin st_collect
    st_collectionextract st_collectionhomogenize st_combinebbox st_concavehull st_contains st_containsproperly
    st_convexhull st_coorddim st_coveredby st_covers st_cpawithin st_crosses st_curvetoline st_delaunaytriangles
    st_dfullywithin st_dimension st_disjoint st_distance st_distancecpa st_distancespheroid st_dumppoints
    st_dumprings st_dumpsegments st_dwithin st_endpoint st_envelope st_equals st_expand st_extent st_exteriorring
    st_filterbym st_flipcoordinates st_force3dz st_force4d st_forcecollection st_forcecurve st_forcepolygoncw
    st_forcesfs st_frechetdistance st_fromflatgeobuf st_generatepoints st_geogfromtext st_geogfromwkb st_geohash
    st_geometricmedian st_geometryfromtext st_geometryn st_geometrytype st_geomfromewkb st_geomfromewkt
    st_geomfromgeojson st_geomfromgml st_geomfromkml st_geomfrommarc21 st_geomfromtext st_geomfromtwkb st_hasarc
    st_hausdorffdistance st_hexagon st_hexagongrid st_interiorringn st_interpolatepoint st_intersection
    st_intersects st_isclosed st_iscollection st_isempty st_ispolygonccw st_ispolygoncw st_isring st_issimple
    st_isvalid st_isvaliddetail st_isvalidreason st_isvalidtrajectory st_length st_length2d st_length2dspheroid
    st_lengthspheroid st_linecrossingdirection st_linefromencodedpolyline st_linefrommultipoint
    st_lineinterpolatepoint st_lineinterpolatepoints st_linelocatepoint st_linemerge st_linesubstring st_linetocurve
    st_locatealong st_locatebetween st_locatebetweenelevations st_m st_makebox2d st_makeenvelope st_makeline
    st_makepoint st_makepointm st_makepolygon st_makevalid st_maximuminscribedcircle st_memcollect st_memsize
    st_memunion st_minimumboundingcircle st_minimumclearance st_minimumclearanceline st_multi st_ndims st_node
    st_normalize st_npoints st_nrings st_numgeometries st_numinteriorring st_numinteriorrings st_offsetcurve
    st_orderingequals st_orientedenvelope st_overlaps st_perimeter st_perimeter2d st_point st_pointfromgeohash
    st_pointinsidecircle st_pointm st_pointn st_pointonsurface st_points st_pointz st_pointzm st_polygonize
    st_quantizecoordinates st_reduceprecision st_relate st_relatematch st_removepoint st_removerepeatedpoints
    st_reverse st_scale st_scroll st_segmentize st_seteffectivearea st_setpoint st_setsrid st_sharedpaths
    st_shiftlongitude st_shortestline st_simplify st_simplifypolygonhull st_simplifypreservetopology st_simplifyvw
    st_snap st_snaptogrid st_split st_square st_squaregrid st_srid st_subdivide st_summary st_symdifference
    st_tileenvelope st_touches st_transform st_triangulatepolygon st_unaryunion st_union st_within st_wkttosql
    st_wrapx st_x st_xmax st_xmin st_y st_ymax st_ymin st_z st_zmax st_zmflag st_zmin text`,
  unaccent: `unaccent`,
  'uuid-ossp': `uuid_generate_v1 uuid_generate_v1mc uuid_generate_v3 uuid_generate_v4 uuid_generate_v5 uuid_nil uuid_ns_dns
    uuid_ns_oid uuid_ns_url uuid_ns_x500`,
  vector: `array_to_halfvec array_to_sparsevec array_to_vector avg binary_quantize cosine_distance halfvec halfvec_accum
    halfvec_add halfvec_avg halfvec_cmp halfvec_combine halfvec_concat halfvec_eq halfvec_ge halfvec_gt
    halfvec_l2_squared_distance halfvec_le halfvec_lt halfvec_mul halfvec_ne halfvec_negative_inner_product
    halfvec_spherical_distance halfvec_sub halfvec_to_float4 halfvec_to_sparsevec halfvec_to_vector hamming_distance
    inner_product jaccard_distance l1_distance l2_distance l2_norm l2_normalize sparsevec sparsevec_cmp sparsevec_eq
    sparsevec_ge sparsevec_gt sparsevec_l2_squared_distance sparsevec_le sparsevec_lt sparsevec_ne
    sparsevec_negative_inner_product sparsevec_to_halfvec sparsevec_to_vector subvector sum vector vector_accum
    vector_add vector_avg vector_cmp vector_combine vector_concat vector_dims vector_eq vector_ge vector_gt
    vector_l2_squared_distance vector_le vector_lt vector_mul vector_ne vector_negative_inner_product vector_norm
    vector_spherical_distance vector_sub vector_to_float4 vector_to_halfvec vector_to_sparsevec`,
};

/** By extension. */
export const EXTENSION_FUNCTIONS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(NAMES).map(([extension, names]) => [extension, new Set(names.split(/\s+/))]),
);

/** Tables of an extension that its functions read: what they return may come from there. */
export const EXTENSION_TABLES: ReadonlyMap<string, string> = new Map([['postgis', 'spatial_ref_sys']]);
