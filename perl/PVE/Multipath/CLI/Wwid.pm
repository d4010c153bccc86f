package PVE::Multipath::CLI::Wwid;

# pvemultipath wwid add, set and remove: change the allow-list, aliases and knobs.

use v5.36;

use PVE::Multipath;
use PVE::Multipath::CLI::Lun qw(configured_wwid);
use PVE::Multipath::CLI::Output qw(terminal_width print_result);
use PVE::Multipath::Config;
use PVE::Multipath::Text qw(characters safe wrap);
use PVE::Multipath::Uses;

# An option for each knob in the schema.
sub knob_options() {
    return map { "$_=s" } sort keys PVE::Multipath::Config::wwid_api_schema()->%*;
}

my sub knobs_of($opts) {
    my $schema = PVE::Multipath::Config::wwid_api_schema();
    return { map { $_ => $opts->{$_} } grep { defined($opts->{$_}) } keys %$schema };
}

my sub value_text($schema) {
    return $schema->{typetext} if defined($schema->{typetext});
    return '<' . join(' | ', $schema->{enum}->@*) . '>' if defined($schema->{enum});
    return "<$schema->{type}>" . (defined($schema->{minimum}) ? " ($schema->{minimum} - N)" : '');
}

# The lines of --help about knobs.
sub knob_help() {
    my $schema = PVE::Multipath::Config::wwid_api_schema();
    my $width = terminal_width();
    my $wrap = sub($text, $indent, $more = '') {
        my @lines = wrap(safe($text), $width - $indent, $more);
        return map { ' ' x $indent . $_ } @lines;
    };
    my @lines = ('', 'Knobs:');
    for my $knob (sort keys %$schema) {
        push @lines, '', $wrap->("--$knob " . value_text($schema->{$knob}), 2, '    ');
        push @lines, $wrap->($schema->{$knob}->{description}, 6);
    }
    return @lines;
}

my sub report($opts, $wwid, $cfg, $result, $hint = '') {
    $wwid = characters($wwid);
    my $data = { wwid => $wwid, result => $result, digest => $cfg->{digest} };
    print_result($opts, $data, sub() {
        my $text = $result =~ m/-there\z/ ? ($result =~ s/-/ /r) . ', unchanged' : $result;
        return safe($wwid) . ": $text$hint";
    });
    return 0;
}

sub add($source, $opts, $wwid) {
    my $set = knobs_of($opts);
    my ($cfg, $changed) = $source->change_config(sub($cfg) {
        return PVE::Multipath::Config::add_wwid($cfg, $wwid, $set, $opts->{digest});
    });
    my $hint = !$changed && %$set ? " ('pvemultipath wwid set' changes it)" : '';
    return report($opts, $wwid, $cfg, $changed ? 'added' : 'already-there', $hint);
}

sub set($source, $opts, $name) {
    my $set = knobs_of($opts);
    my $delete = defined($opts->{delete}) ? join(',', $opts->{delete}->@*) : undef;
    die "nothing to set or delete: 'pvemultipath wwid set --help' lists the knobs\n"
        if !%$set && !length($delete // '');

    my $wwid;
    my ($cfg, $changed) = $source->change_config(sub($cfg) {
        $wwid = configured_wwid($cfg, $name)
            // die "no LUN with the WWID or alias '" . safe(characters($name)) . "' is configured\n";
        return PVE::Multipath::Config::update_wwid($cfg, $wwid, $set, $delete, $opts->{digest});
    });
    return report($opts, $wwid, $cfg, $changed ? 'changed' : 'unchanged');
}

my sub assert_unused($source, $wwid) {
    my $users = PVE::Multipath::Uses::users($source);
    my $refusal = PVE::Multipath::Uses::refusal($wwid, $users) // return;
    die "$refusal->{text} - use --force to remove it anyway\n";
}

sub remove($source, $opts, $name) {
    my $wwid;
    my ($cfg, $changed) = $source->change_config(sub($cfg) {
        $wwid = configured_wwid($cfg, $name);
        assert_unused($source, $wwid) if defined($wwid) && !$opts->{force};
        return PVE::Multipath::Config::remove_wwid($cfg, $wwid //= $name, $opts->{digest});
    });
    return report($opts, $wwid, $cfg, $changed ? 'removed' : 'not-there');
}

1;
