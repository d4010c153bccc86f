package PlainPerl;

# What `make bench` compares with: the same answers as PVE::Multipath's, from JSON::XS and plain
# Perl, as one would write it inside pve-storage. It decodes with the fastest module there is
# and checks what peers send, but reports problems less precisely.

use v5.36;

use JSON::XS ();

my $json = JSON::XS->new->utf8;

my $WWID_RE = qr/\A(?!-)(?!\.{1,2}\z)[a-zA-Z0-9._:-]{1,122}\z/;
my $NODE_RE = qr/\A(?!-)[a-zA-Z0-9-]{1,63}(?<!-)\z/;

# What multipathd prints where it has no value.
my %UNSET = map { $_ => 1 }
    '', '-', '--', '#:#', '##', '(null)', '[undef]', '[unknown]', 'undef', 'unknown';

# [ their name, ours ]
my @MAP_TEXTS = (
    [qw(queueing queueing)], [qw(failback failback)],
    [qw(features features)], [qw(hwhandler hardware-handler)],
);
my @MAP_TRIMMED = ([qw(vend vendor)], [qw(prod product)], [qw(rev revision)]);
my @MAP_COUNTERS = (
    [qw(path_faults path-faults)], [qw(switch_grp group-switches)],
    [qw(map_loads map-loads)], [qw(total_q_time queue-seconds)],
    [qw(q_timeouts queue-timeouts)],
);
my @PATH_TEXTS = (
    [qw(dev_t dev-number)], [qw(dm_st dm-state)], [qw(dev_st dev-state)],
    [qw(chk_st check-state)], [qw(checker checker)], [qw(host_wwnn host-wwnn)],
    [qw(host_wwpn host-wwpn)], [qw(target_wwnn target-wwnn)],
    [qw(target_wwpn target-wwpn)], [qw(host_adapter host-adapter)],
    [qw(lun_hex lun)], [qw(marginal_st marginal-state)],
);

my sub at_most($count, @list) {
    splice(@list, $count) if @list > $count;
    return \@list;
}

my sub integer($value) {
    die "'$value' is no integer\n" if $value !~ /\A-?[0-9]{1,15}\z/;
    return int($value);
}

my sub parse_path($in) {
    my $path = { dev => $in->{dev} // die "a path without dev\n" };

    for my $field (@PATH_TEXTS) {
        my $value = $in->{ $field->[0] } // next;
        $path->{ $field->[1] } = $value if !$UNSET{$value};
    }
    $path->{priority} = integer($in->{pri}) if defined($in->{pri});
    $path->{transport} = 'fc' if ($path->{'target-wwpn'} // '') =~ /\A0x[0-9a-fA-F]+\z/;

    return $path;
}

# What all active paths run through, of which one would do: [ key of a path, code of the note ].
my @SINGLE_POINTS = (
    [qw(host-wwpn single-hba)],
    [qw(target-wwpn single-target-port)],
    [qw(target-wwnn single-target)],
);

my sub single_points($active) {
    my @notes;
    for my $point (@SINGLE_POINTS) {
        my ($key, $code) = @$point;
        if ($key eq 'host-wwpn' && !grep { defined($_->{$key}) } @$active) {
            $key = 'host-adapter';
        }
        my $through = $active->[0]->{$key} // next;
        next if grep { ($_->{$key} // '') ne $through } @$active;
        push @notes, { code => $code, through => $through };
    }
    return \@notes;
}

my %UNUSABLE = map { $_ => 1 } 'faulty', 'shaky', 'i/o timeout', 'disconnected';

# What stops I/O although paths are active.
my sub device_state($map, $active) {
    my @notes;
    push @notes, { code => 'suspended' } if $map->{'dm-state'} eq 'suspend';
    return @notes if !@$active;
    my $count = @$active;
    push @notes, { code => 'all-paths-marginal', count => $count }
        if !grep { ($_->{'marginal-state'} // '') ne 'marginal' } @$active;
    push @notes, { code => 'all-checkers-faulty', count => $count }
        if !grep { !$UNUSABLE{ $_->{'check-state'} // '' } } @$active;
    return @notes;
}

my sub parse_map($in) {
    my $wwid = $in->{uuid} // die "no uuid\n";
    die "'$wwid' is no WWID\n" if $wwid !~ $WWID_RE;

    my $map = {
        wwid => $wwid,
        name => $in->{name} // $wwid,
        sysfs => $in->{sysfs} // 'undef',
        'dm-state' => $in->{dm_st} // 'undef',
    };

    my $total = 0;
    my (@groups, @active, @failed, %transports);
    for my $group ($in->{path_groups}->@*) {
        my @paths;
        for my $path_in ($group->{paths}->@*) {
            my $path = parse_path($path_in);
            push @paths, $path;
            $total++;
            if (($path->{'dm-state'} // '') eq 'active') {
                push @active, $path;
            } else {
                push @failed, $path->{dev};
            }
            $transports{ $path->{transport} } = 1 if defined($path->{transport});
        }
        my $out = {
            group => integer($group->{group} // @groups + 1),
            'dm-state' => $group->{dm_st} // 'undef',
            priority => integer($group->{pri} // -1),
            paths => \@paths,
        };
        for my $key (qw(selector marginal_st)) {
            my $value = $group->{$key} // next;
            $out->{ $key eq 'selector' ? 'selector' : 'marginal-state' } = $value
                if !$UNSET{$value};
        }
        push @groups, $out;
    }

    $map->{'path-groups'} = \@groups;
    my $active = $total - @failed;
    $map->{'paths-total'} = $total;
    $map->{'paths-active'} = $active;
    $map->{health} = !$active ? 'failed' : $active == $total ? 'optimal' : 'degraded';
    $map->{transport} = (keys %transports)[0] if keys(%transports) == 1;
    if (!$total) {
        $map->{reasons} = [{ code => 'no-paths' }];
    } elsif (!$active) {
        $map->{reasons} = [{ code => 'all-paths-failed', count => $total }];
    } elsif (@failed) {
        my $count = @failed;
        my $devs = at_most(16, @failed);
        $map->{reasons} = [{ code => 'path-failed', count => $count, devs => $devs }];
    }

    my @notes = device_state($map, \@active);
    push @notes, single_points(\@active)->@* if $active && $total > 1;
    $map->{notes} = \@notes if @notes;

    for my $field (@MAP_TEXTS) {
        my $value = $in->{ $field->[0] } // next;
        $map->{ $field->[1] } = $value if !$UNSET{$value};
    }
    for my $field (@MAP_TRIMMED) {
        my $value = $in->{ $field->[0] } // next;
        $value =~ s/\A\s+|\s+\z//g;
        $map->{ $field->[1] } = $value if !$UNSET{$value};
    }
    for my $field (@MAP_COUNTERS) {
        my $value = $in->{ $field->[0] } // next;
        $map->{ $field->[1] } = integer($value);
    }
    my $protection = $in->{write_prot} // '';
    $map->{'write-protected'} = 1 if $protection eq 'ro';
    $map->{'write-protected'} = 0 if $protection eq 'rw';

    return $map;
}

sub parse_maps_json($text) {
    my $data = eval { $json->decode($text) };
    die "could not parse multipathd maps JSON: $@" if $@;
    die "could not parse multipathd maps JSON: no list of maps\n"
        if ref($data) ne 'HASH' || ref($data->{maps}) ne 'ARRAY';
    die "could not parse multipathd maps JSON: unknown version\n" if $data->{major_version};

    my @maps;
    for my $in ($data->{maps}->@*) {
        my $map = eval { parse_map($in) };
        if (my $err = $@) {
            warn "multipathd maps JSON: a map is left out: $err";
            next;
        }
        push @maps, $map;
    }
    return \@maps;
}

my %SEVERITY = (unknown => -1, optimal => 0, degraded => 1, missing => 2, failed => 3);
my %TRANSPORT = map { $_ => 1 } qw(fc iscsi sas);
my %NOTE = map { $_ => 1 }
    qw(single-hba single-target-port single-target more-paths-than-configured),
    qw(suspended all-paths-marginal all-checkers-faulty);
my $MAX_PATHS = 65535;

# What all nodes should say alike of a LUN, and the code where they do not.
my @FACTS = qw(size name transport paths-total write-protected);
my %CODE_OF = (
    size => 'size-differs',
    name => 'name-differs',
    transport => 'transport-differs',
    'paths-total' => 'paths-differ',
    'write-protected' => 'write-protection-differs',
);

my $REFRESH_SECONDS = 60;
my $STALE_SECONDS = 180;

my sub count($value) {
    return undef if !defined($value) || ref($value) || $value !~ /\A[0-9]{1,15}\z/;
    return int($value);
}

# As count, of paths.
my sub paths($value) {
    my $count = count($value);
    return defined($count) && $count <= $MAX_PATHS ? $count : undef;
}

my sub reason($in) {
    return if ref($in) ne 'HASH' || !defined($in->{code});

    my $code = $in->{code};
    return { code => $code } if $code eq 'no-paths';

    my $reason = { code => $code };
    if ($code eq 'path-gone') {
        for my $key (qw(present expected)) {
            $reason->{$key} = count($in->{$key}) // return;
        }
        return $reason;
    }
    return if $code ne 'all-paths-failed' && $code ne 'path-failed';

    my $count = count($in->{count});
    $reason->{count} = $count if defined($count);
    if ($code eq 'path-failed' && ref($in->{devs}) eq 'ARRAY') {
        my @devs = grep { defined && !ref && /\A[a-zA-Z0-9!_.:-]{1,32}\z/ } $in->{devs}->@*;
        $reason->{devs} = at_most(16, @devs) if @devs;
    }
    return $reason;
}

# What follows from state and numbers of paths.
my sub derived_reason($cell) {
    my ($state, $active, $total) = $cell->@{qw(state paths-active paths-total)};

    return { code => 'unknown-state' } if $state eq 'unknown';
    return { code => 'not-assembled' } if $state eq 'missing';
    my $count = defined($active) && defined($total) ? $total - $active : undef;
    if ($state eq 'degraded') {
        return { code => 'path-failed', $count ? (count => $count) : () };
    }
    return { code => 'no-paths' } if defined($total) && !$total;
    my $known = defined($count) && !$active;
    return { code => 'all-paths-failed', $known ? (count => $count) : () };
}

# One map of a peer, which may have sent anything; what makes no sense is taken out of the entry.
my sub cell($entry) {
    my $state = $entry->{state} // '';
    $state = 'unknown' if ref($state) || !defined($SEVERITY{$state});
    my $cell = { state => $state };

    my $active = paths($entry->{'paths-active'});
    my $total = paths($entry->{'paths-total'});
    if (defined($active) && defined($total) && $active > $total) {
        undef $active;
        undef $total;
    }
    $entry->{'paths-total'} = $total;
    $cell->{'paths-active'} = $active if defined($active);
    $cell->{'paths-total'} = $total if defined($total);
    if (defined($entry->{'paths-expected'})) {
        my $expected = paths($entry->{'paths-expected'});
        $cell->{'paths-expected'} = $expected if defined($expected);
    }

    my $transport = $entry->{transport};
    if (defined($transport)) {
        if ($TRANSPORT{$transport}) {
            $cell->{transport} = $transport;
        } else {
            delete $entry->{transport};
        }
    }
    $entry->{size} = count($entry->{size}) || undef;
    my $name = $entry->{name};
    delete $entry->{name} if defined($name) && (ref($name) || $name eq '' || length($name) > 127);
    my $protected = $entry->{'write-protected'};
    delete $entry->{'write-protected'}
        if defined($protected) && $protected ne '0' && $protected ne '1';

    if ($state ne 'optimal') {
        my $reasons = $entry->{reasons};
        my @reasons = ref($reasons) eq 'ARRAY' ? map { reason($_) } @$reasons : ();
        $cell->{reasons} = @reasons ? at_most(8, @reasons) : [derived_reason($cell)];
    }
    if (ref($entry->{notes}) eq 'ARRAY') {
        my @codes = grep { defined && $NOTE{$_} } $entry->{notes}->@*;
        $cell->{notes} = at_most(8, map { { code => $_ } } @codes) if @codes;
    }

    return $cell;
}

sub cluster_status($args) {
    my $members = $args->{members} // {};
    my $expectations = $args->{expectations};
    my $ids = $args->{config}->{ids};

    my (%live, %not_live, %unreadable, %why);
    for my $node (keys $args->{kv}->%*) {
        next if $node !~ $NODE_RE || !length($args->{kv}->{$node} // '');
        my $online = !%$members || $members->{$node}->{online};
        my $data = eval { $json->decode($args->{kv}->{$node}) };
        if (ref($data) ne 'HASH' || ref($data->{maps}) ne 'HASH') {
            $unreadable{$node} = { code => 'bad-broadcast' } if $online;
            $why{$node} = [{ code => 'bad-broadcast' }];
            next;
        }

        my $age = defined(count($data->{time})) ? $args->{now} - $data->{time} : undef;
        my $fresh = defined($age) && $age <= $STALE_SECONDS && $age >= -$REFRESH_SECONDS;
        ($online && $fresh ? $live{$node} : $not_live{$node}) = $data->{maps};
        $why{$node} = [{ code => 'reporter-stale', defined($age) ? (age => $age) : () }]
            if $online && !$fresh;
    }
    for my $node (keys %$members) {
        $why{$node} = [{ code => 'node-offline' }] if !$members->{$node}->{online};
    }

    my @allowed = grep { $ids->{$_}->{type} eq 'wwid' && $_ =~ $WWID_RE } keys %$ids;
    my %allowed = map { $_ => 1 } @allowed;
    my %rows = %allowed;
    for my $maps (values %live, values %not_live) {
        $rows{$_} = 1 for keys %$maps;
    }

    my @reporters = sort keys %live;
    my @silent = sort keys %not_live;
    my @by_default = grep { $live{$_}->%* } @reporters;
    @by_default = @reporters if !@by_default;
    push @by_default, keys %unreadable;
    my @luns;
    for my $wwid (sort keys %rows) {
        next if !$allowed{$wwid} && $wwid !~ $WWID_RE;

        my $lun = { wwid => $wwid };
        my $section = $allowed{$wwid} ? $ids->{$wwid} : undef;
        $lun->{alias} = $section->{alias} if defined($section) && defined($section->{alias});
        my $used_by = $expectations->{consumers}->{$wwid};
        $lun->{'used-by'} = $used_by if defined($used_by);

        my ($worst, %cells, %known, %differ) = (-1);
        for my $node (@reporters) {
            my $entry = $live{$node}->{$wwid} // next;
            $entry = $live{$node}->{$wwid} = {} if ref($entry) ne 'HASH';
            my $cell = $cells{$node} = cell($entry);
            my $severity = $SEVERITY{ $cell->{state} };
            $worst = $severity if $severity > $worst;
            for my $fact (@FACTS) {
                my $value = $entry->{$fact} // next;
                my $first = $known{$fact} //= $value;
                $differ{$fact} = 1 if $value ne $first;
            }
        }
        $lun->{size} = $known{size} if defined($known{size});
        for my $fact (grep { $differ{$_} } @FACTS) {
            my %values;
            for my $node (grep { $cells{$_} } @reporters) {
                my $value = $live{$node}->{$wwid}->{$fact} // next;
                $values{$node} = $value;
            }
            push $lun->{notes}->@*, { code => $CODE_OF{$fact}, values => \%values };
        }
        for my $node (@silent) {
            next if !exists($not_live{$node}->{$wwid});
            $cells{$node} = { state => 'unknown', reasons => $why{$node} };
        }
        if ($allowed{$wwid}) {
            my $expected = $expectations->{'wwid-nodes'}->{$wwid};
            $expected = $expectations->{nodes} if !$expected || !%$expected;
            my @expected = $expected && %$expected ? keys %$expected : @by_default;
            for my $node (@expected) {
                next if $cells{$node} || $node !~ $NODE_RE;
                if ($why{$node}) {
                    $cells{$node} = { state => 'unknown', reasons => $why{$node} };
                } else {
                    my $code = $live{$node} ? 'not-assembled' : 'no-report';
                    $cells{$node} = { state => 'missing', reasons => [{ code => $code }] };
                    $worst = $SEVERITY{missing} if $worst < $SEVERITY{missing};
                }
            }
        }

        $lun->{'cluster-state'} = (qw(unknown optimal degraded missing failed))[$worst + 1];
        $lun->{nodes} = \%cells;
        push @luns, $lun;
    }

    my %nodes;
    for my $node (keys(($args->{'apply-kv'} // {})->%*)) {
        next if $node !~ $NODE_RE || (%$members && !$members->{$node}->{online});
        my $data = eval { $json->decode($args->{'apply-kv'}->{$node}) };
        next if ref($data) ne 'HASH' || !defined($data->{error}) || ref($data->{error});
        $nodes{$node} = { 'apply-error' => $data->{error}, 'apply-time' => count($data->{time}) };
    }
    $nodes{$_}->{'report-error'} = $unreadable{$_} for keys %unreadable;

    return { luns => \@luns, nodes => \%nodes };
}

sub cluster_status_json($args) {
    return $json->encode(cluster_status($args));
}

1;
