package PVE::Multipath::CLI::Wwid;

# pvemultipath wwid add, set and remove: change the allow-list, aliases and knobs.

use v5.36;

use PVE::Multipath;
use PVE::Multipath::Candidates;
use PVE::Multipath::CLI::Lun qw(configured_wwid);
use PVE::Multipath::CLI::Output qw(terminal_width print_result);
use PVE::Multipath::Config;
use PVE::Multipath::Text qw(characters safe wrap);
use PVE::Multipath::Uses;
use PVE::RS::Multipath::Candidates;

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

my sub result_text($result) {
    return $result =~ m/-there\z/ ? ($result =~ s/-/ /r) . ', unchanged' : $result;
}

my sub report($opts, $wwid, $cfg, $result) {
    $wwid = characters($wwid);
    my $data = { wwid => $wwid, result => $result, digest => $cfg->{digest} };
    print_result($opts, $data, sub() { return safe($wwid) . ': ' . result_text($result) });
    return 0;
}

# --- add ---

# The LUNs that are meant, each once: { wwid, typed, how, ... }; and what is known of what nodes see.
my sub meant($source, $typed) {
    $source->refresh();
    my $found = PVE::Multipath::Candidates::identify($source, [map { characters($_) } @$typed]);
    my $answers = $found->{answers};
    my @errors = map { $_->{error} // () } @$answers;
    die join('', map { "wwid: $_\n" } @errors) if @errors;

    my (%known, @luns);
    for my $i (keys @$answers) {
        my $lun = { $answers->[$i]->%*, typed => $typed->[$i] };
        push @luns, $lun if !$known{ $lun->{wwid} }++;
    }
    warn $_ for $found->{warnings}->@*;
    return (\@luns, $found);
}

# Why a LUN may be seen although no node is known to see it.
my sub unknown_text($unknown) {
    my @nodes = sort keys %$unknown;
    return '' if !@nodes;
    return '; not known from ' . join(', ', map { "$_ ($unknown->{$_})" } @nodes);
}

# What speaks against putting these on the allow-list; dies of what must not be there.
my sub cautions($opts, $luns, $seen) {
    my @refused = grep { defined($_->{refusal}) } @$luns;
    die join('', map { safe($_->{wwid}) . ": $_->{refusal} - use --force to add it anyway\n" } @refused)
        if @refused && !$opts->{force};
    my @told;
    for my $lun (@$luns) {
        my $wwid = $lun->{wwid};
        push @told, "$wwid: no node sees this LUN - check the WWID" . unknown_text($seen->{unknown}) . "\n"
            if $seen->{checked} && $lun->{how} eq 'unseen';
        my $why = $lun->{refusal} // $lun->{caution};
        push @told, "$wwid: $why\n" if defined($why);
    }
    return @told;
}

# The alias of each of these LUNs by its WWID, if one was given.
my sub aliases($cfg, $alias, $luns) {
    return {} if !defined($alias) || !@$luns;
    return { $luns->[0]->{wwid} => $alias } if @$luns == 1 && $alias !~ m/[{}]/;
    my @taken = map { $_->{alias} // () } values $cfg->{ids}->%*;
    my $aliases = eval {
        PVE::RS::Multipath::Candidates::aliases(characters($alias), $luns, [map { characters($_) } @taken]);
    } // die "alias: $@";
    return { map { $luns->[$_]->{wwid} => $aliases->[$_] } keys @$luns };
}

my sub is_listed($cfg, $wwid) {
    return (($cfg->{ids}->{$wwid} // {})->{type} // '') eq 'wwid';
}

my sub add_line($lun, $set) {
    my $line = safe($lun->{wwid}) . ': ' . result_text($lun->{result});
    $line .= " as '" . safe(characters($lun->{alias})) . "'" if defined($lun->{alias}) && $lun->{template};
    my $typed = characters($lun->{typed});
    my $what = { form => 'the same in another form', device => 'a path or the map of it' }->{ $lun->{how} };
    $line .= " ('" . safe($typed) . "' is " . ($what // 'taken for it') . ')' if $typed ne $lun->{wwid};
    $line .= " ('pvemultipath wwid set' changes it)" if $lun->{result} eq 'already-there' && %$set;
    return $line;
}

sub add($source, $opts, @typed) {
    my $set = knobs_of($opts);
    my $alias = delete $set->{alias};
    my ($luns, $seen) = meant($source, \@typed);
    warn "it is not known which LUNs the nodes see" . unknown_text($seen->{unknown}) . "\n"
        if !$seen->{checked} && !defined($opts->{replay});

    my @told;
    my $change = sub($cfg) {
        my @new = grep { !is_listed($cfg, $_->{wwid}) } @$luns;
        @told = cautions($opts, \@new, $seen);
        my $aliases = aliases($cfg, $alias, \@new);
        for my $lun (@$luns) {
            my $wwid = $lun->{wwid};
            $lun->{result} = is_listed($cfg, $wwid) ? 'already-there' : 'added';
            my $own = $aliases->{$wwid};
            my $knobs = { %$set, defined($own) ? (alias => $own) : () };
            $cfg = PVE::Multipath::Config::add_wwid($cfg, $wwid, $knobs, $opts->{digest});
            $lun->@{qw(alias template)} = ($own, ($alias // '') =~ m/[{}]/) if defined($own);
        }
        return $cfg;
    };
    my $cfg;
    if ($opts->{'dry-run'}) {
        $change->($cfg = $source->config());
    } else {
        ($cfg) = $source->change_config($change);
    }
    warn $_ for @told;

    my @data = map {
        my $lun = $_;
        my $typed = characters($lun->{typed});
        my $data = { wwid => $lun->{wwid}, result => $lun->{result}, digest => $cfg->{digest} };
        $data->@{qw(typed how)} = ($typed, $lun->{how}) if $typed ne $lun->{wwid};
        $data->{alias} = characters($lun->{alias}) if $lun->{template};
        $data
    } @$luns;
    print_result($opts, @typed == 1 ? $data[0] : \@data, sub() {
        my $all = { %$set, defined($alias) ? (alias => $alias) : () };
        my @lines = map { add_line($_, $all) } @$luns;
        return (@lines, $opts->{'dry-run'} ? 'Nothing was changed: --dry-run.' : ());
    });
    return 0;
}

# --- set and remove ---

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
    $source->refresh();
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
