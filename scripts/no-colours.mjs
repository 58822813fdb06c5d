/** Before every test file: what a program says to a test has no colours, wherever the tests themselves are shown. */
delete process.env['FORCE_COLOR'];
process.env['NO_COLOR'] = '1';
